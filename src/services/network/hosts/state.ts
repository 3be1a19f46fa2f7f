/** What a host must carry, out of the database: its guests' ports and routers, and of everything else only what these need. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import type { OwnState } from '../agent/methods.ts'
import { networkConfig } from '../config.ts'
import type {
  FixedIp,
  HostNetworkState,
  NetworkSpec,
  PortSpec,
  RuleSpec,
  SecurityGroupSpec,
  SubnetSpec,
} from '../drivers/driver.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import { allocationsOf, dhcpDevice, grouped, hangingOn, type PortRow, portRows } from '../ports/store.ts'
import { groupRows, ruleRows } from '../security-groups/store.ts'
import { type SubnetRow, subnetsOf } from '../subnets/store.ts'
import { hostRouters } from './routers.ts'
import { revisionNow, revisionsOf } from './store.ts'
import { leasesOf, membersOf } from './store-neighbours.ts'

const readAgain = 3

/** The desired state of a host; null when it is still that of the revision `known`. */
export async function hostState(ctx: Ctx, host: string, known: number | null): Promise<HostNetworkState | null> {
  const { wanted_revision } = await revisionsOf(ctx.db, host)
  return known === wanted_revision ? null : settled(ctx, host, wanted_revision, readWhole)
}

/** What the host carries itself: without leases, and without members of groups. */
export async function ownState(ctx: Ctx, host: string, known: number | null): Promise<OwnState | null> {
  const { wanted_revision: revision, own_revision } = await revisionsOf(ctx.db, host)
  if (known === revision) return null
  if (known !== null && known >= own_revision && known < revision) {
    const { since } = await revisionNow(ctx.db)
    if (known >= since) return { revision, state: null }
  }
  const state = await settled(ctx, host, revision, read)
  return { revision: state.revision, state }
}

/** What is read statement by statement is of one moment when nothing came between. */
async function settled(ctx: Ctx, host: string, wanted: number, reading: typeof read): Promise<HostNetworkState> {
  let revision = wanted
  for (let left = readAgain; ; left--) {
    const state = await reading(ctx, host, revision)
    const { wanted_revision: now } = await revisionsOf(ctx.db, host)
    if (now === revision || left === 0) return state
    revision = now
  }
}

/** For agents that do not ask for neighbours by themselves. */
async function readWhole(ctx: Ctx, host: string, revision: number): Promise<HostNetworkState> {
  const own = await read(ctx, host, revision)
  const { found: leases } = await leasesOf(ctx.db, [...new Set(own.ports.map(port => port.network_id))])
  const remotes = own.security_groups.flatMap(group => group.rules.flatMap(rule => rule.remote_group_id ?? []))
  const { found: members } = await membersOf(ctx.db, [...new Set(remotes)])
  const addresses = (id: string) => (members.get(id) ?? []).flatMap(member => member.addresses)
  return {
    ...own,
    networks: own.networks.map(network => ({ ...network, leases: leases.get(network.id) ?? [] })),
    security_groups: own.security_groups.map(group => ({
      ...group,
      members: [...new Set(addresses(group.id))].sort(),
    })),
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
  const domain = ctx.config.of(networkConfig).dns_domain
  const up = new Map(networks.map(network => [network.id, network.admin_state_up]))
  const hanging = await hangingOn(
    db,
    guests.map(port => port.id),
  )
  const groups = [...new Set([...hanging.values()].flatMap(found => found.groups))]
  return {
    revision,
    networks: networks.map(network => ({
      ...networkSpec(network, subnets.get(network.id)!, domain),
      ...dhcp.get(network.id),
      leases: [],
    })),
    ports: guests.map(port => ({
      ...portSpec(port, hanging.get(port.id)!),
      admin_state_up: port.admin_state_up && up.get(port.network_id) === true,
    })),
    security_groups: await securityGroups(db, groups),
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

const portSpec = (port: PortRow, { ips, groups }: { ips: FixedIp[]; groups: string[] }): PortSpec => ({
  id: port.id,
  network_id: port.network_id,
  mac: port.mac_address,
  ips,
  admin_state_up: port.admin_state_up,
  port_security: port.port_security_enabled,
  allowed_address_pairs: port.allowed_address_pairs,
  security_groups: groups,
})

/** The groups of the host's ports with their rules, and those that the rules name. */
async function securityGroups(db: Db, ids: string[]): Promise<SecurityGroupSpec[]> {
  const rules = await ruleRows.list(db, { security_group_id: ids, remote_address_group_id: null }, byId)
  const remotes = [...new Set(rules.flatMap(rule => rule.remote_group_id ?? []))]
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
    members: [],
  }))
}
