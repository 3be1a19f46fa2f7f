/** The ports of servers as compute and guests see them. */
import type { Ctx } from '#kernel/context.ts'
import { macOfLinkLocal, normalAddress } from './addresses.ts'
import type { ServerPort, ShownPort } from './contract.ts'
import {
  type PortRow,
  portRows,
  serverPortRows as portsOf,
  portWithAddress,
  type ShownPortRow,
  serversOfPorts,
  shownServerPorts,
  type WholePortRow,
  wholeServerPorts,
} from './ports/store.ts'

export const serverPortRows = (ctx: Ctx, serverIds: string[]): Promise<PortRow[]> => portsOf(ctx.db, serverIds)

export const serversWithPorts = (ctx: Ctx): Promise<string[]> => serversOfPorts(ctx.db)

export const serverPorts = async (ctx: Ctx, serverIds: string[]): Promise<Map<string, ServerPort[]>> =>
  gathered(await wholeServerPorts(ctx.db, serverIds), emptyPort, addWhole)

/** Less is read and made than for `serverPorts`: lists ask for a thousand. */
export const shownPorts = async (ctx: Ctx, serverIds: string[]): Promise<Map<string, ShownPort[]>> =>
  gathered(await shownServerPorts(ctx.db, serverIds), emptyShown, addShown)

/** Ports by server, of rows that stand together: one begins a port, and each adds what the rows before did not say. */
function gathered<Row extends ShownPortRow, Port>(
  rows: readonly Row[],
  begin: (row: Row) => Port,
  add: (port: Port, row: Row) => void,
): Map<string, Port[]> {
  const byServer = new Map<string, Port[]>()
  let port: Port | undefined
  let id: string | undefined
  for (const row of rows) {
    if (port === undefined || row.id !== id) {
      port = begin(row)
      id = row.id
      const ports = byServer.get(row.device_id)
      if (ports) ports.push(port)
      else byServer.set(row.device_id, [port])
    }
    add(port, row)
  }
  return byServer
}

function emptyPort(row: WholePortRow): ServerPort {
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

function addWhole(port: ServerPort, { subnet_id, ip_address, floating_ip, group_id, group_name }: WholePortRow): void {
  if (ip_address !== null && !port.fixed_ips.some(one => one.ip_address === ip_address && one.subnet_id === subnet_id))
    port.fixed_ips.push({ subnet_id: subnet_id!, ip_address, version: versionOf(ip_address) })
  if (floating_ip !== null && !port.floating_ips.includes(floating_ip)) port.floating_ips.push(floating_ip)
  if (group_id !== null && !port.security_groups.some(({ id }) => id === group_id))
    port.security_groups.push({ id: group_id, name: group_name! })
}

function emptyShown({ network_name, mac_address }: ShownPortRow): ShownPort {
  return { network_name, mac_address, fixed_ips: [], floating_ips: [], security_groups: [] }
}

function addShown(port: ShownPort, { ip_address, floating_ip, group_name }: ShownPortRow): void {
  if (ip_address !== null && !port.fixed_ips.some(one => one.ip_address === ip_address))
    port.fixed_ips.push({ ip_address, version: versionOf(ip_address) })
  if (floating_ip !== null && !port.floating_ips.includes(floating_ip)) port.floating_ips.push(floating_ip)
  if (group_name !== null && !port.security_groups.some(({ name }) => name === group_name))
    port.security_groups.push({ name: group_name })
}

const versionOf = (address: string) => (address.includes(':') ? 6 : 4)

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
