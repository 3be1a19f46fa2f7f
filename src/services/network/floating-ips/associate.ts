/** Ties a floating IP to a port's address, through the router between them. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { badResource, portNotFound } from '../errors.ts'
import { type AllocationRow, allocationRows, type PortRow, portRows } from '../ports/store.ts'
import { routerRows } from '../routers/store.ts'
import { subnetRows } from '../subnets/store.ts'
import { type FloatingIpRow, floatingIpRows } from './store.ts'

export type Association = Pick<FloatingIpRow, 'fixed_port_id' | 'fixed_ip_address' | 'router_id'>

export const noAssociation: Association = { fixed_port_id: null, fixed_ip_address: null, router_id: null }

type Ip = Pick<FloatingIpRow, 'id' | 'project_id' | 'floating_network_id' | 'floating_ip_address'>

/** The columns of the association with a port's address. */
export async function associate(ctx: Ctx, ip: Ip, portId: string, wanted: string | null): Promise<Association> {
  // Until the end of this transaction the port stays, and its router keeps the gateway.
  await lock(ctx.db, ctx.database.engine, `ports:${portId}`)
  const port = await portRows.find(ctx.db, { id: portId })
  if (!port || (port.project_id !== ctx.identity.project_id && !seesAll(ctx))) throw portNotFound(portId)
  if (port.project_id !== ip.project_id && !seesAll(ctx))
    throw badResource(
      'floatingip',
      `Cannot process floating IP association with Port ${port.id}, since that port is owned by a different project`,
    )
  if (port.device_owner === 'network:dhcp')
    throw badResource('floatingip', `Port ${port.id} is unable to be assigned a floating IP`)
  const address = await addressOf(ctx, port, wanted)
  const seen = await routerBetween(ctx, ip, port, address)
  await lock(ctx.db, ctx.database.engine, `routers:${seen}`)
  const router_id = await routerBetween(ctx, ip, port, address)
  if (router_id !== seen)
    throw new Conflict(`Router ${seen} was changed by another request; try again.`, { type: 'StaleDataError' })
  const other = await floatingIpRows.find(ctx.db, {
    floating_network_id: ip.floating_network_id,
    fixed_port_id: port.id,
    fixed_ip_address: address.ip_address,
  })
  if (other && other.id !== ip.id)
    throw new Conflict(
      `Cannot associate floating IP ${ip.floating_ip_address} (${ip.id}) with port ${port.id} using fixed IP ${address.ip_address}, as that fixed IP already has a floating IP on external network ${ip.floating_network_id}.`,
      { type: 'FloatingIPPortAlreadyAssociated' },
    )
  return { fixed_port_id: port.id, fixed_ip_address: address.ip_address, router_id }
}

async function addressOf(ctx: Ctx, port: PortRow, wanted: string | null): Promise<AllocationRow> {
  const all = await allocationRows.list(ctx.db, { port_id: port.id })
  if (wanted !== null) {
    if (wanted.includes(':'))
      throw badResource(
        'floatingip',
        `Cannot process floating IP association with ${wanted}, since that is not an IPv4 address`,
      )
    const found = all.find(address => address.ip_address === wanted)
    if (!found) throw badResource('floatingip', `Port ${port.id} does not have fixed ip ${wanted}`)
    return found
  }
  const fourth = all.filter(address => !address.ip_address.includes(':'))
  if (fourth.length === 0)
    throw badResource('floatingip', `Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses`)
  if (fourth.length > 1)
    throw badResource(
      'floatingip',
      `Port ${port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP`,
    )
  return fourth[0]!
}

/** The router that joins the address's subnet to the floating IP's network; the one at the subnet's gateway when several do. */
async function routerBetween(ctx: Ctx, ip: Ip, port: PortRow, address: AllocationRow): Promise<string> {
  const subnet = (await subnetRows.find(ctx.db, { id: address.subnet_id }))!
  const neighbours = await allocationRows.list(ctx.db, { subnet_id: subnet.id })
  const interfaces = await portRows.list(ctx.db, {
    id: neighbours.map(one => one.port_id),
    device_owner: 'network:router_interface',
  })
  const reaching = await routerRows.list(
    ctx.db,
    { id: interfaces.map(one => one.device_id), gateway_network_id: ip.floating_network_id },
    { orderBy: [{ column: 'id', direction: 'asc' }] },
  )
  const gatewayPort = neighbours.find(one => one.ip_address === subnet.gateway_ip)?.port_id
  const gatewayRouter = interfaces.find(one => one.id === gatewayPort)?.device_id
  const chosen = reaching.find(router => router.id === gatewayRouter) ?? reaching[0]
  if (!chosen)
    throw new NotFound(
      `External network ${ip.floating_network_id} is not reachable from subnet ${subnet.id}.  Therefore, cannot associate Port ${port.id} with a Floating IP.`,
      { type: 'ExternalGatewayForFloatingIPNotFound' },
    )
  return chosen.id
}
