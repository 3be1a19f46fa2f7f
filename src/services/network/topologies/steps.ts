/** Making a network that leads outside, with all that goes with it, inside other work. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Conflict } from '#kernel/errors.ts'
import { networkConfig } from '../config.ts'
import { networks } from '../networks/network.ts'
import { type NetworkRow, networkRows } from '../networks/store.ts'
import { allocationRows, type PortRow, portRows } from '../ports/store.ts'
import { routers } from '../routers/router.ts'
import { dropInterface, interfaceOwner, makeInterface } from '../routers/steps.ts'
import { type RouterRow, routerRows } from '../routers/store.ts'
import { subnets } from '../subnets/subnet.ts'
import { topologyRows } from './store.ts'

interface Names {
  network: string
  router: string
  subnet(version: 4 | 6): string
}

/** A network of the project with its subnets, and a router between them and an external network. */
export async function makeTopology(
  ctx: Ctx,
  projectId: string,
  outside: NetworkRow,
  names: Names,
): Promise<{ network: NetworkRow; router: RouterRow }> {
  const { private_cidr, private_cidr_v6 } = ctx.config.of(networkConfig)
  const project_id = projectId
  const network = await networks.make(ctx, { project_id, name: names.network })
  const external_gateway_info = { network_id: outside.id }
  const router = await routers.make(ctx, { project_id, name: names.router, external_gateway_info })
  const common = { project_id, network_id: network.id }
  const ranges = [
    { ip_version: 4, name: names.subnet(4), cidr: private_cidr },
    { ip_version: 6, name: names.subnet(6), cidr: private_cidr_v6, ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' },
  ]
  for (const range of ranges)
    if (range.cidr) await makeInterface(ctx.elevated(), router, await subnets.make(ctx, { ...common, ...range }))
  return { network, router }
}

const unable = (reason: string) => new Conflict(`Deployment error: ${reason}.`, { type: 'AutoAllocationFailure' })

/** The external network that is the default, or the error that says that there is none. */
export async function defaultOutside(ctx: Ctx): Promise<NetworkRow> {
  const network = await networkRows.find(ctx.db, { external: true, is_default: true })
  if (!network) throw unable('No default router:external network')
  return network
}

/** The network that was allocated for the project; undefined when there is none, or users have deleted it. */
export async function allocatedNetwork(ctx: Ctx, projectId: string): Promise<NetworkRow | undefined> {
  const known = await topologyRows.find(ctx.db, { project_id: projectId })
  return known && networkRows.find(ctx.db, { id: known.network_id })
}

/** The project's allocated network, made when it has none. */
export async function allocate(ctx: Ctx, projectId: string): Promise<NetworkRow> {
  await lock(ctx.db, ctx.database.engine, `network.topology:${projectId}`)
  const known = await allocatedNetwork(ctx, projectId)
  if (known) return known
  const { network, router } = await makeTopology(ctx, projectId, await defaultOutside(ctx), {
    network: 'auto_allocated_network',
    router: 'auto_allocated_router',
    subnet: version => `auto_allocated_subnet_v${version}`,
  })
  await topologyRows.remove(ctx.db, { project_id: projectId })
  await topologyRows.insert(ctx.db, { project_id: projectId, network_id: network.id, router_id: router.id })
  return network
}

/** Takes the project's allocated network and router away, unless something is still on them. */
export async function release(ctx: Ctx, projectId: string): Promise<void> {
  await lock(ctx.db, ctx.database.engine, `network.topology:${projectId}`)
  const known = await topologyRows.find(ctx.db, { project_id: projectId })
  if (!known) return
  const router = await routerRows.find(ctx.db, { id: known.router_id })
  const network = await networkRows.find(ctx.db, { id: known.network_id })
  for (const port of router ? await interfacesOf(ctx, router, known.network_id) : [])
    await dropInterface(ctx, router!, port, await subnetIdsOf(ctx, port))
  if (router) await routers.spec.hooks.remove(ctx, router)
  if (network) await networks.spec.hooks.remove(ctx, network)
  await topologyRows.remove(ctx.db, { project_id: projectId })
}

const interfacesOf = (ctx: Ctx, router: RouterRow, networkId: string): Promise<PortRow[]> =>
  portRows.list(ctx.db, { device_id: router.id, device_owner: interfaceOwner, network_id: networkId })

const subnetIdsOf = async (ctx: Ctx, port: PortRow) =>
  (await allocationRows.list(ctx.db, { port_id: port.id })).map(address => address.subnet_id)
