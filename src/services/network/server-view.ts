/** The ports of servers as compute and guests see them. */
import type { Ctx } from '#kernel/context.ts'
import { macOfLinkLocal, normalAddress } from './addresses.ts'
import type { ServerPort } from './contract.ts'
import {
  type PortRow,
  portRows,
  serverPortRows as portsOf,
  portWithAddress,
  type ShownPort,
  serversOfPorts,
  shownServerPorts,
} from './ports/store.ts'

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
