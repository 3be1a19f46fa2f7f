/** Making a router's interfaces inside other work. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { contains, parseAddress, parseCidr } from '../addresses.ts'
import { badResource } from '../errors.ts'
import { floatingIpRows } from '../floating-ips/store.ts'
import { networkRows } from '../networks/store.ts'
import { makePort, removePorts, setAddresses } from '../ports/steps.ts'
import { allocationsOf, type PortRow, portRows } from '../ports/store.ts'
import { type SubnetRow, subnetRows } from '../subnets/store.ts'
import { checkOverlaps } from './gateway.ts'
import type { RouterRow } from './store.ts'

export const interfaceOwner = 'network:router_interface'

/** Gives the router the subnet's gateway address. */
export async function makeInterface(ctx: Ctx, router: RouterRow, subnet: SubnetRow) {
  const network = (await networkRows.find(ctx.db, { id: subnet.network_id }))!
  if (![subnet.project_id, network.project_id].includes(ctx.identity.project_id!) && !seesAll(ctx))
    throw badResource(
      'router',
      `Cannot add interface to router because subnet ${subnet.id} is not owned by project making the request`,
    )
  if (subnet.gateway_ip === null) throw badResource('router', 'Subnet for router interface must have a gateway IP')
  checkAdvertised(subnet)
  await checkOverlaps(ctx, router, [subnet])
  const wanted = { subnet_id: subnet.id, ip_address: subnet.gateway_ip }
  const neighbour = subnet.ip_version === 6 ? await sixthPort(ctx, router, subnet) : undefined
  if (neighbour) {
    const had = (await allocationsOf(ctx.db, [neighbour.id])).get(neighbour.id)!
    await setAddresses(ctx, neighbour, [...had, wanted])
    return { port: neighbour, subnetIds: [subnet.id] }
  }
  const port = await makePort(ctx, network, {
    project_id: router.project_id,
    device_owner: interfaceOwner,
    device_id: router.id,
    fixed_ips: [wanted],
    row: { port_security_enabled: false },
  })
  return { port, subnetIds: [subnet.id] }
}

/** The IPv6 subnets of one network share a port of the router. */
export async function sixthPort(ctx: Ctx, router: RouterRow, subnet: SubnetRow): Promise<PortRow | undefined> {
  const found = await portRows.list(ctx.db, {
    device_id: router.id,
    network_id: subnet.network_id,
    device_owner: interfaceOwner,
  })
  const addresses = await allocationsOf(
    ctx.db,
    found.map(port => port.id),
  )
  return found.find(port => addresses.get(port.id)!.some(address => address.ip_address.includes(':')))
}

/** A subnet that another router advertises is not this one's. */
export function checkAdvertised(subnet: SubnetRow): void {
  if (subnet.ip_version === 6 && subnet.ipv6_ra_mode === null && subnet.ipv6_address_mode !== null)
    throw badResource(
      'router',
      `IPv6 subnet ${subnet.id} configured to receive RAs from an external router cannot be added to Neutron Router`,
    )
}

/** Takes the router off some subnets of one of its ports, and the port away with the last of them. */
export async function dropInterface(ctx: Ctx, router: RouterRow, port: PortRow, subnetIds: string[]): Promise<void> {
  for (const subnetId of subnetIds) await checkFree(ctx, router, subnetId)
  const had = (await allocationsOf(ctx.db, [port.id])).get(port.id)!
  const left = had.filter(address => !subnetIds.includes(address.subnet_id))
  if (left.length > 0) await setAddresses(ctx, port, left)
  else await removePorts(ctx, [port])
}

async function checkFree(ctx: Ctx, router: RouterRow, subnetId: string): Promise<void> {
  const cidr = parseCidr((await subnetRows.find(ctx.db, { id: subnetId }))!.cidr)!
  const inside = (address: string) => contains(cidr, parseAddress(address)!)
  const floating = await floatingIpRows.list(ctx.db, { router_id: router.id })
  const words = `Router interface for subnet ${subnetId} on router ${router.id} cannot be deleted, as it is required by one or more`
  if (floating.some(ip => ip.fixed_ip_address !== null && inside(ip.fixed_ip_address)))
    throw new Conflict(`${words} floating IPs.`, { type: 'RouterInterfaceInUseByFloatingIP' })
  if (router.routes.some(route => inside(route.nexthop)))
    throw new Conflict(`${words} routes.`, { type: 'RouterInterfaceInUseByRoute' })
}
