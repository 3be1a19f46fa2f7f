/** What a host must carry, out of the database: its guests' ports and routers, and of everything else only what these need. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { networkConfig } from '../config.ts'
import type {
  HostNetworkState,
  NetworkSpec,
  PortSpec,
  RuleSpec,
  SecurityGroupSpec,
  SubnetSpec,
} from '../drivers/driver.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import {
  type AllocationRow,
  allocationsOf,
  dhcpDevice,
  grouped,
  groupsOf,
  type PortRow,
  portRows,
} from '../ports/store.ts'
import { groupRows, ruleRows } from '../security-groups/store.ts'
import { type SubnetRow, subnetsOf } from '../subnets/store.ts'
import { type Neighbours, neighboursOf } from './neighbours.ts'
import { hostRouters } from './routers.ts'
import { wantedRevision } from './store.ts'

const readAgain = 3

/** The desired state of a host; null when it is still that of the revision `known`. */
export async function hostState(ctx: Ctx, host: string, known: number | null): Promise<HostNetworkState | null> {
  let revision = await wantedRevision(ctx.db, host)
  if (known === revision) return null
  for (let left = readAgain; ; left--) {
    const state = await read(ctx, host, revision)
    // What is read statement by statement is of one moment when nothing came between.
    const now = await wantedRevision(ctx.db, host)
    if (now === revision || left === 0) return state
    revision = now
  }
}

async function read(ctx: Ctx, host: string, revision: number): Promise<HostNetworkState> {
  const { db } = ctx
  const guests = await guestPorts(db, host)
  const routers = await hostRouters(db, host)
  const guestNetworks = [...new Set(guests.map(port => port.network_id))]
  const networks = await networkRows.list(db, { id: [...new Set([...guestNetworks, ...routers.networkIds])] }, byId)
  const networkIds = networks.map(network => network.id)
  const subnets = grouped(networkIds, await subnetsOf(db, networkIds), subnet => subnet.network_id)
  const dhcp = await dhcpPorts(db, guestNetworks)
  const neighbours = await neighboursOf(ctx)
  const leases = await neighbours.leases(guestNetworks)
  const domain = ctx.config.of(networkConfig).dns_domain
  const up = new Map(networks.map(network => [network.id, network.admin_state_up]))
  const groups = await groupsOf(
    db,
    guests.map(port => port.id),
  )
  const addresses = await allocationsOf(
    db,
    guests.map(port => port.id),
  )
  return {
    revision,
    networks: networks.map(network => ({
      ...networkSpec(network, subnets.get(network.id)!, domain),
      ...dhcp.get(network.id),
      leases: leases.get(network.id) ?? [],
    })),
    ports: guests.map(port => ({
      ...portSpec(port, addresses.get(port.id)!, groups.get(port.id)!),
      admin_state_up: port.admin_state_up && up.get(port.network_id) === true,
    })),
    security_groups: await securityGroups(db, neighbours, [...new Set([...groups.values()].flat())]),
    routers: routers.specs([...subnets.values()].flat()),
  }
}

const byId = { orderBy: [{ column: 'id' as const, direction: 'asc' as const }] }

/** Ports that are bound to the host, except those that the cloud has for itself. */
async function guestPorts(db: Db, host: string): Promise<PortRow[]> {
  const bound = await portRows.list(db, { binding_host_id: host }, byId)
  return bound.filter(port => !port.device_owner.startsWith('network:'))
}

type DhcpPort = NonNullable<NetworkSpec['dhcp_port']>

/** A network without guests on the host needs no DHCP there. */
async function dhcpPorts(db: Db, networkIds: string[]): Promise<Map<string, { dhcp_port: DhcpPort }>> {
  const ports = await portRows.list(db, { device_id: networkIds.map(dhcpDevice), device_owner: 'network:dhcp' })
  const addresses = await allocationsOf(
    db,
    ports.map(port => port.id),
  )
  return new Map(
    ports.map(({ id, mac_address: mac, network_id }) => [
      network_id,
      { dhcp_port: { id, mac, ips: fixedIps(addresses.get(id)!) } },
    ]),
  )
}

function networkSpec(network: NetworkRow, subnets: SubnetRow[], domain: string): NetworkSpec {
  const { id, segment, mtu, dns_domain, physical_network } = network
  return {
    id,
    segment,
    mtu,
    dns_domain: dns_domain || domain,
    ...(physical_network !== null && { physical_network }),
    subnets: subnets.map(subnetSpec),
    leases: [],
  }
}

const subnetSpec = (subnet: SubnetRow): SubnetSpec => ({
  id: subnet.id,
  ip_version: subnet.ip_version,
  cidr: subnet.cidr,
  gateway_ip: subnet.gateway_ip,
  enable_dhcp: subnet.enable_dhcp,
  dns_nameservers: subnet.dns_nameservers,
  host_routes: subnet.host_routes,
  ipv6_address_mode: subnet.ipv6_address_mode,
  ipv6_ra_mode: subnet.ipv6_ra_mode,
})

const fixedIps = (addresses: { subnet_id: string; ip_address: string }[]) =>
  addresses.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address }))

const portSpec = (port: PortRow, addresses: AllocationRow[], groups: string[]): PortSpec => ({
  id: port.id,
  network_id: port.network_id,
  mac: port.mac_address,
  ips: fixedIps(addresses),
  admin_state_up: port.admin_state_up,
  port_security: port.port_security_enabled,
  allowed_address_pairs: port.allowed_address_pairs,
  security_groups: groups,
})

/** The groups of the host's ports with their rules, and the members of those that the rules name. */
async function securityGroups(db: Db, neighbours: Neighbours, ids: string[]): Promise<SecurityGroupSpec[]> {
  const rules = await ruleRows.list(db, { security_group_id: ids, remote_address_group_id: null }, byId)
  const remotes = [...new Set(rules.flatMap(rule => rule.remote_group_id ?? []))]
  const members = await neighbours.members(remotes)
  const byGroup = grouped(ids, rules, rule => rule.security_group_id)
  const groups = await groupRows.list(db, { id: [...new Set([...ids, ...remotes])] }, byId)
  return groups.map(({ id, stateful }) => ({
    id,
    stateful,
    rules: (byGroup.get(id) ?? []).map(
      (rule): RuleSpec => ({
        id: rule.id,
        direction: rule.direction,
        ethertype: rule.ethertype,
        protocol: rule.protocol,
        port_range_min: rule.port_range_min,
        port_range_max: rule.port_range_max,
        remote_ip_prefix: rule.remote_ip_prefix,
        remote_group_id: rule.remote_group_id,
      }),
    ),
    members: members.get(id) ?? [],
  }))
}
