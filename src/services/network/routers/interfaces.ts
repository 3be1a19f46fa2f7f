/** A router's interfaces: adding and removing subnets and ports; and its extra routes one by one. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Rule, rule } from '#kernel/policy/rule.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { checkedValue } from '#kernel/resource-attributes.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { touch } from '#kernel/standard-row.ts'
import { contains, parseAddress, parseRange } from '../addresses.ts'
import { badResource, portInUse } from '../errors.ts'
import { admin, projectMember } from '../policy.ts'
import { ports } from '../ports/port.ts'
import { allocationsOf, type PortRow, portRows } from '../ports/store.ts'
import { changed } from '../revision.ts'
import { type SubnetRow, subnetRows } from '../subnets/store.ts'
import { subnets } from '../subnets/subnet.ts'
import { checkOverlaps } from './gateway.ts'
import { routers, routesSchema } from './router.ts'
import { checkRoutes, type Routes, withoutRoutes, withRoutes } from './routes.ts'
import { checkAdvertised, dropInterface, interfaceOwner, makeInterface, sixthPort } from './steps.ts'
import { type RouterRow, routerRows } from './store.ts'

const guards = {
  add: rule('add_router_interface', `${admin} or ${projectMember}`),
  remove: rule('remove_router_interface', `${admin} or ${projectMember}`),
  addRoutes: rule('add_extraroutes', `${admin} or ${projectMember}`),
  removeRoutes: rule('remove_extraroutes', `${admin} or ${projectMember}`),
}
export const interfaceRules: Rule[] = Object.values(guards)

const id = Type.Optional(Type.Union([Type.String({ maxLength: 36 }), Type.Null()]))
const body = Type.Object({ subnet_id: id, port_id: id })
type Body = Static<typeof body>

const text = Type.String()
const interfaceAnswer = Type.Object({
  ...{ id: text, tenant_id: text, project_id: text, port_id: text, network_id: text },
  ...{ subnet_id: Type.Optional(text), subnet_ids: Type.Array(text) },
})

/** What adding and removing answers. */
function answer(router: RouterRow, port: PortRow, subnetIds: string[]) {
  return {
    id: router.id,
    tenant_id: router.project_id,
    project_id: router.project_id,
    port_id: port.id,
    network_id: port.network_id,
    subnet_id: subnetIds[0],
    subnet_ids: subnetIds,
  }
}

function checkIds({ subnet_id, port_id }: Body): void {
  for (const one of [port_id, subnet_id])
    if (one && !isUuid(one)) throw badResource('router', `'${one}' is not a valid UUID`)
}

const subnetIdsOf = async (ctx: Ctx, port: PortRow) =>
  (await allocationsOf(ctx.db, [port.id])).get(port.id)!.map(address => address.subnet_id)

export const addInterface = operation({
  id: 'network.routers.add_interface',
  method: 'PUT',
  path: '/v2.0/routers/{id}/add_router_interface',
  summary: 'Add an interface to a router',
  response: interfaceAnswer,
  policy: 'authenticated',
  request: body,
  async handle(ctx, { params, body: sent }) {
    return ctx.transaction(async tx => {
      const router = await routers.loadFor(tx, guards.add, params.id)
      const { subnet_id, port_id } = sent
      if (subnet_id && port_id) throw badResource('router', 'Cannot specify both subnet-id and port-id')
      if (!subnet_id && !port_id) throw badResource('router', 'Either subnet_id or port_id must be specified')
      checkIds(sent)
      const { port, subnetIds } = port_id ? await addPort(tx, router, port_id) : await addSubnet(tx, router, subnet_id!)
      await touch(tx, routerRows, router, {})
      await changed(tx, { routers: [router.id] })
      const router_interface = answer(router, port, subnetIds)
      await tx.events.emit(tx, 'router.interface.create', router.id, { router_interface })
      return router_interface
    })
  },
})

const addSubnet = async (ctx: Ctx, router: RouterRow, subnetId: string) =>
  makeInterface(ctx, router, await subnets.load(ctx, subnetId))

async function addPort(ctx: Ctx, router: RouterRow, portId: string) {
  const port = await ports.load(ctx, portId)
  if (port.device_id !== '') throw portInUse(port.id, port.network_id, port.device_id)
  const subnetIds = await subnetIdsOf(ctx, port)
  if (subnetIds.length === 0) throw badResource('router', 'Router port must have at least one fixed IP')
  const found = await subnetRows.list(ctx.db, { id: subnetIds })
  if (found.filter(subnet => subnet.ip_version === 4).length > 1)
    throw badResource('router', 'Cannot have multiple IPv4 subnets on router port')
  for (const subnet of found) checkAdvertised(subnet)
  await checkOverlaps(ctx, router, found)
  await checkSixth(ctx, router, port, found)
  await checkInPools(ctx, port, found)
  const taken = await touch(ctx, portRows, port, { device_id: router.id, device_owner: interfaceOwner })
  return { port: taken, subnetIds }
}

async function checkSixth(ctx: Ctx, router: RouterRow, port: PortRow, found: SubnetRow[]): Promise<void> {
  const sixth = found.find(subnet => subnet.ip_version === 6)
  const other = sixth && (await sixthPort(ctx, router, sixth))
  if (other)
    throw badResource(
      'router',
      `Router already contains IPv6 port ${other.id} belonging to network id ${port.network_id}. Only one IPv6 port from the same network subnet can be connected to a router`,
    )
}

/** On another project's subnet a router must not take an address that is nobody's to give, such as its gateway. */
async function checkInPools(ctx: Ctx, port: PortRow, found: SubnetRow[]): Promise<void> {
  if (seesAll(ctx)) return
  const addresses = (await allocationsOf(ctx.db, [port.id])).get(port.id)!
  for (const { subnet_id, ip_address } of addresses) {
    const subnet = found.find(one => one.id === subnet_id)!
    const inPool = subnet.allocation_pools.some(pool => contains(parseRange(pool)!, parseAddress(ip_address)!))
    if (!inPool && subnet.project_id !== ctx.identity.project_id)
      throw badResource(
        'router',
        `Cannot add interface to router because specified port ${port.id} has an IP address out of the allocation pool of subnet ${subnet.id}, which is not owned by the project making the request`,
      )
  }
}

export const removeInterface = operation({
  id: 'network.routers.remove_interface',
  method: 'PUT',
  path: '/v2.0/routers/{id}/remove_router_interface',
  summary: 'Remove an interface from a router',
  response: interfaceAnswer,
  policy: 'authenticated',
  request: body,
  async handle(ctx, { params, body: sent }) {
    return ctx.transaction(async tx => {
      const router = await routers.loadFor(tx, guards.remove, params.id)
      const { port, subnetIds } = await interfaceOf(tx, router, sent)
      await dropInterface(tx, router, port, subnetIds)
      await touch(tx, routerRows, router, {})
      await changed(tx, { routers: [router.id] })
      const router_interface = answer(router, port, subnetIds)
      await tx.events.emit(tx, 'router.interface.delete', router.id, { router_interface })
      return router_interface
    })
  },
})

/** The interface that a request names, and which of its subnets it is about. */
async function interfaceOf(ctx: Ctx, router: RouterRow, { port_id, subnet_id }: Body) {
  if (!port_id && !subnet_id) throw badResource('router', 'Either subnet_id or port_id must be specified')
  checkIds({ port_id, subnet_id })
  const found = await portRows.list(ctx.db, { device_id: router.id, device_owner: interfaceOwner })
  if (port_id) {
    const port = found.find(one => one.id === port_id)
    if (!port)
      throw new NotFound(`Router ${router.id} does not have an interface with id ${port_id}`, {
        type: 'RouterInterfaceNotFound',
      })
    const subnetIds = await subnetIdsOf(ctx, port)
    if (subnet_id && !subnetIds.includes(subnet_id))
      throw new BadRequest(`Subnet on port ${port_id} does not match the requested subnet ${subnet_id}.`, {
        type: 'SubnetMismatchForPort',
      })
    return { port, subnetIds }
  }
  await subnets.load(ctx, subnet_id!)
  for (const port of found)
    if ((await subnetIdsOf(ctx, port)).includes(subnet_id!)) return { port, subnetIds: [subnet_id!] }
  throw new NotFound(`Router ${router.id} has no interface on subnet ${subnet_id}`, {
    type: 'RouterInterfaceNotFoundForSubnet',
  })
}

function routesOperation(verb: 'add' | 'remove', guard: Rule, change: (had: Routes, sent: Routes) => Routes) {
  return operation({
    id: `network.routers.${verb}_extraroutes`,
    method: 'PUT',
    path: `/v2.0/routers/{id}/${verb}_extraroutes`,
    summary: verb === 'add' ? 'Add routes to a router' : 'Remove routes from a router',
    policy: 'authenticated',
    request: Type.Object({ router: Type.Object({ routes: Type.Unknown() }) }),
    response: routers.answer,
    async handle(ctx, { params, body: sent }) {
      return ctx.transaction(async tx => {
        const router = await routers.loadFor(tx, guard, params.id)
        const given = checkedValue('routes', { schema: routesSchema }, sent.router.routes) as Routes
        const routes = change(router.routes, await checkRoutes(tx, router, given))
        const row = await touch(tx, routerRows, router, { routes: await checkRoutes(tx, router, routes) })
        await changed(tx, { routers: [router.id] })
        const [shown] = await routers.view(tx, [row])
        return { router: shown }
      })
    },
  })
}

export const routerOperations = [
  addInterface,
  removeInterface,
  routesOperation('add', guards.addRoutes, withRoutes),
  routesOperation('remove', guards.removeRoutes, withoutRoutes),
]
