/** A router's extra routes: a next hop must be a neighbour. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { contains, normalAddress, normalCidr, parseAddress, parseCidr } from '../addresses.ts'
import { allocationsOf, routerPortsOf } from '../ports/store.ts'
import { subnetRows } from '../subnets/store.ts'
import type { RouterRow } from './store.ts'

export type Routes = RouterRow['routes']

const maxRoutes = 30

export async function checkRoutes(ctx: Ctx, router: RouterRow, wanted: Routes): Promise<Routes> {
  if (wanted.length > maxRoutes)
    throw new BadRequest(
      `Unable to complete operation for ${router.id}. The number of routes exceeds the maximum ${maxRoutes}.`,
      { type: 'RoutesExhausted' },
    )
  const routes = wanted.map(({ destination, nexthop }) => ({
    destination: normalCidr(destination)!,
    nexthop: normalAddress(nexthop)!,
  }))
  const ports = await routerPortsOf(ctx.db, router.id)
  const addresses = [
    ...(
      await allocationsOf(
        ctx.db,
        ports.map(port => port.id),
      )
    ).values(),
  ].flat()
  const subnets = await subnetRows.list(ctx.db, { id: addresses.map(address => address.subnet_id) })
  for (const { nexthop } of routes) {
    const hop = parseAddress(nexthop)!
    if (!subnets.some(subnet => contains(parseCidr(subnet.cidr)!, hop)))
      throw invalidRoutes(wanted, 'the nexthop is not connected with router')
    if (addresses.some(address => address.ip_address === nexthop))
      throw invalidRoutes(wanted, 'the nexthop is used by router')
  }
  return routes
}

const invalidRoutes = (routes: Routes, reason: string) =>
  new BadRequest(`Invalid format for routes: ${JSON.stringify(routes)}, ${reason}.`, { type: 'InvalidRoutes' })

const same = (a: Routes[number], b: Routes[number]) => a.destination === b.destination && a.nexthop === b.nexthop

export const withRoutes = (had: Routes, more: Routes): Routes => [
  ...had,
  ...more.filter(route => !had.some(other => same(other, route))),
]

export const withoutRoutes = (had: Routes, less: Routes): Routes =>
  had.filter(route => !less.some(other => same(other, route)))
