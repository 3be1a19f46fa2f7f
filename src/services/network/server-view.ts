/** The ports of servers as compute and guests see them. */
import type { Ctx } from '#kernel/context.ts'
import { macOfLinkLocal, normalAddress, parseCidr } from './addresses.ts'
import type { ServerPort } from './contract.ts'
import { networkRows } from './networks/store.ts'
import {
  allocationsOf,
  type PortRow,
  portRows,
  serverPortRows as portsOf,
  portWithAddress,
  type ShownPort,
  serversOfPorts,
  shownServerPorts,
} from './ports/store.ts'
import { type SubnetRow, subnetRows } from './subnets/store.ts'

export const serverPortRows = (ctx: Ctx, serverIds: string[]): Promise<PortRow[]> => portsOf(ctx.db, serverIds)

export const serversWithPorts = (ctx: Ctx): Promise<string[]> => serversOfPorts(ctx.db)

export async function serverPorts(ctx: Ctx, serverIds: string[]): Promise<Map<string, ServerPort[]>> {
  const byServer = new Map<string, ServerPort[]>(serverIds.map(id => [id, []]))
  let port: ServerPort | undefined
  for (const row of await shownServerPorts(ctx.db, serverIds)) {
    if (port?.id !== row.id) {
      port = emptyPort(row)
      byServer.get(row.device_id)!.push(port)
    }
    addShown(port, row)
  }
  return byServer
}

function emptyPort(row: ShownPort): ServerPort {
  return {
    id: row.id,
    network_id: row.network_id,
    network_name: row.network_name,
    mac_address: row.mac_address,
    fixed_ips: [],
    floating_ips: [],
    status: row.status,
    security_groups: [],
    tag: row.server_tag,
  }
}

/** Adds what a row says of its port and the rows before did not. */
function addShown(port: ServerPort, { subnet_id, ip_address, floating_ip, group_id, group_name }: ShownPort): void {
  if (ip_address !== null && !port.fixed_ips.some(one => one.ip_address === ip_address && one.subnet_id === subnet_id))
    port.fixed_ips.push({ subnet_id: subnet_id!, ip_address, version: ip_address.includes(':') ? 6 : 4 })
  if (floating_ip !== null && !port.floating_ips.includes(floating_ip)) port.floating_ips.push(floating_ip)
  if (group_id !== null && !port.security_groups.some(({ id }) => id === group_id))
    port.security_groups.push({ id: group_id, name: group_name! })
}

/** The server that has an address in a network. A link-local address is known by the MAC it was formed of. */
export async function serverAt(
  ctx: Ctx,
  networkId: string,
  address: string,
): Promise<{ server_id: string; port_id: string } | undefined> {
  const port = await portAt(ctx, networkId, address)
  return port && port.server_index !== null ? { server_id: port.device_id, port_id: port.id } : undefined
}

async function portAt(ctx: Ctx, networkId: string, address: string) {
  const mac = macOfLinkLocal(address)
  if (mac) return portRows.find(ctx.db, { network_id: networkId, mac_address: mac })
  const plain = normalAddress(address)
  return plain ? portWithAddress(ctx.db, networkId, plain) : undefined
}

/** `network_data.json`, as cloud-init reads it. */
export async function networkData(ctx: Ctx, serverId: string): Promise<Record<string, unknown>> {
  const ports = await serverPortRows(ctx, [serverId])
  const addresses = await allocationsOf(
    ctx.db,
    ports.map(port => port.id),
  )
  const mtus = new Map(
    (await networkRows.list(ctx.db, { id: ports.map(port => port.network_id) })).map(network => [
      network.id,
      network.mtu,
    ]),
  )
  const subnetIds = [...addresses.values()].flat().map(address => address.subnet_id)
  const subnets = new Map((await subnetRows.list(ctx.db, { id: subnetIds })).map(subnet => [subnet.id, subnet]))
  const links = ports.map((port, i) => ({
    id: `tap${port.id.slice(0, 11)}`,
    vif_id: port.id,
    type: 'phy',
    mtu: mtus.get(port.network_id),
    ethernet_mac_address: port.mac_address,
    index: i,
  }))
  let count = 0
  const networks = ports.flatMap((port, i) =>
    addresses
      .get(port.id)!
      .map(({ subnet_id, ip_address }) =>
        guestNetwork(`network${count++}`, links[i]!.id, port.network_id, ip_address, subnets.get(subnet_id)!),
      ),
  )
  const servers = new Set([...subnets.values()].flatMap(subnet => subnet.dns_nameservers))
  return {
    links: links.map(({ index: _, ...link }) => link),
    networks,
    services: [...servers].map(address => ({ type: 'dns', address })),
  }
}

function guestNetwork(id: string, link: string, networkId: string, address: string, subnet: SubnetRow) {
  const common = { id, link, network_id: networkId }
  const mode = subnet.ipv6_address_mode
  if (subnet.enable_dhcp && subnet.ip_version === 4) return { ...common, type: 'ipv4_dhcp' }
  if (subnet.enable_dhcp && mode !== null) return { ...common, type: mode === 'slaac' ? 'ipv6_slaac' : `ipv6_${mode}` }
  const { version, prefix } = parseCidr(subnet.cidr)!
  const netmask = version === 4 ? dotted(prefix) : groupsMask(prefix)
  const anywhere = version === 4 ? { network: '0.0.0.0', netmask: '0.0.0.0' } : { network: '::', netmask: '::' }
  return {
    ...common,
    type: `ipv${version}`,
    ip_address: address,
    netmask,
    routes: [
      ...(subnet.gateway_ip === null ? [] : [{ ...anywhere, gateway: subnet.gateway_ip }]),
      ...subnet.host_routes.map(({ destination, nexthop }) => {
        const range = parseCidr(destination)!
        return {
          network: destination.split('/')[0],
          netmask: range.version === 4 ? dotted(range.prefix) : groupsMask(range.prefix),
          gateway: nexthop,
        }
      }),
    ],
    services: subnet.dns_nameservers.map(server => ({ type: 'dns', address: server })),
  }
}

const bitsOf = (prefix: number, width: number) => ((1n << BigInt(prefix)) - 1n) << BigInt(width - prefix)
const dotted = (prefix: number) => [24n, 16n, 8n, 0n].map(shift => (bitsOf(prefix, 32) >> shift) & 255n).join('.')
const groupsMask = (prefix: number) =>
  Array.from({ length: 8 }, (_, i) => ((bitsOf(prefix, 128) >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':')
