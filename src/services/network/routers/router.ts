/** Routers: they join subnets, and lead outside through a gateway. */
import type { Ctx } from '#kernel/context.ts'
import { archive } from '#kernel/db/archive.ts'
import { Conflict } from '#kernel/errors.ts'
import { type Resource, resource } from '#kernel/resource.ts'
import { boolean, nullToList, text } from '#kernel/resource-attributes.ts'
import { Type } from '#kernel/schema/builders.ts'
import { columnsOf, standardMembers, touch } from '#kernel/standard-row.ts'
import { networkConfig } from '../config.ts'
import { badResource } from '../errors.ts'
import { hostForRouter } from '../hosts/host.ts'
import { admin, projectMember, projectReader } from '../policy.ts'
import { allocationsOf, routerPortsOf } from '../ports/store.ts'
import { reserve } from '../quotas/quota.ts'
import { changed } from '../revision.ts'
import { checkZones } from '../zones.ts'
import { enforceGateway, type GatewayInfo, setGateway } from './gateway.ts'
import { checkRoutes, type Routes } from './routes.ts'
import { type RouterRow, routerRows } from './store.ts'

const strict = { additionalProperties: false }
const address = Type.String({ format: 'ip' })
const member = `${admin} or ${projectMember}`

const gatewaySchema = Type.Union([
  Type.Null(),
  Type.Object(
    {
      network_id: Type.String({ format: 'uuid' }),
      enable_snat: Type.Optional(Type.Boolean()),
      external_fixed_ips: Type.Optional(
        Type.Array(
          Type.Object(
            { subnet_id: Type.Optional(Type.String({ format: 'uuid' })), ip_address: Type.Optional(address) },
            strict,
          ),
          { maxItems: 10 },
        ),
      ),
      qos_policy_id: Type.Optional(Type.Null()),
    },
    strict,
  ),
])

export const routesSchema = Type.Array(
  Type.Object({ destination: Type.String({ format: 'cidr' }), nexthop: address }, strict),
  { uniqueItems: true },
)

const readGateway = (value: unknown) =>
  value !== null && typeof value === 'object' && Object.keys(value).length === 0 ? null : value

/** A flag of routers that are spread over hosts, which these are not. */
const spread = boolean({ create: admin, update: admin, visible: admin, column: false })
const flag = { ...spread, convert: (value: unknown) => (value === null ? false : spread.convert!(value)) }

function checkFlags(values: Record<string, unknown>): void {
  if (values.distributed === true) throw badResource('router', 'Distributed routers are not available in this cloud')
  if (values.ha === true) throw badResource('router', 'HA routers are not available in this cloud')
}

export const routers: Resource<RouterRow> = resource<RouterRow>({
  path: '/v2.0/routers',
  collection: 'routers',
  member: 'router',
  notFound: { type: 'RouterNotFound', message: id => `Router ${id} could not be found` },
  store: routerRows,
  policy: { create: member, show: `${admin} or ${projectReader}`, update: member, delete: member },
  attributes: {
    name: text(255, { create: true, update: true, default: '' }),
    admin_state_up: boolean({ create: true, update: true, default: true }),
    status: { schema: Type.String() },
    external_gateway_info: {
      schema: gatewaySchema,
      convert: readGateway,
      create: member,
      update: member,
      default: null,
      column: false,
    },
    routes: { schema: routesSchema, convert: nullToList, update: true },
    distributed: flag,
    ha: flag,
    flavor_id: { schema: Type.Null(), create: true, default: null, column: false },
    availability_zone_hints: {
      schema: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 10 }),
      convert: nullToList,
      create: true,
      default: [],
    },
    availability_zones: { schema: Type.Array(Type.String()), column: false },
  },
  hooks: {
    create: createRouter,
    update: updateRouter,
    async remove(ctx, row) {
      const ports = await routerPortsOf(ctx.db, row.id)
      if (ports.some(port => port.id !== row.gateway_port_id))
        throw new Conflict(`Router ${row.id} still has ports`, { type: 'RouterInUse' })
      await setGateway(ctx, row, null)
      await routerRows.remove(ctx.db, { id: row.id })
      await archive(ctx, routerRows.table, row.id, row)
      await changed(ctx, { hosts: [row.host ?? ''] })
    },
    view: viewRouters,
  },
})

async function createRouter(ctx: Ctx, values: Record<string, unknown>): Promise<RouterRow> {
  const info = values.external_gateway_info as GatewayInfo | null
  const projectId = values.project_id as string
  if (info) enforceGateway(ctx, 'create', projectId, info)
  checkFlags(values)
  checkZones(ctx, values.availability_zone_hints as string[])
  await reserve(ctx, projectId, 'router')
  const router: RouterRow = {
    ...(columnsOf<RouterRow>(routers.spec.attributes, values) as RouterRow),
    ...standardMembers(ctx, values),
    status: 'ACTIVE',
    gateway_port_id: null,
    gateway_network_id: null,
    enable_snat: true,
    routes: [],
    host: await hostForRouter(ctx),
  }
  Object.assign(router, info && (await setGateway(ctx, router, info)))
  await routerRows.insert(ctx.db, router)
  await changed(ctx, { routers: [router.id] })
  return router
}

async function updateRouter(ctx: Ctx, row: RouterRow, patch: Record<string, unknown>): Promise<RouterRow> {
  checkFlags(patch)
  const given = columnsOf<RouterRow>(routers.spec.attributes, patch)
  const info = patch.external_gateway_info as GatewayInfo | null | undefined
  if (info) enforceGateway(ctx, 'update', row.project_id, info)
  if (info !== undefined) Object.assign(given, await setGateway(ctx, row, info))
  const routes = await checkRoutes(ctx, row, (given.routes ?? row.routes) as Routes)
  if (given.routes) given.routes = routes
  await changed(ctx, { routers: [row.id] })
  return touch(ctx, routerRows, row, given)
}

async function viewRouters(ctx: Ctx, rows: RouterRow[]): Promise<Record<string, unknown>[]> {
  const addresses = await allocationsOf(
    ctx.db,
    rows.flatMap(row => row.gateway_port_id ?? []),
  )
  const zone = ctx.config.of(networkConfig).availability_zone
  return rows.map(row => ({
    external_gateway_info:
      row.gateway_port_id === null
        ? null
        : {
            network_id: row.gateway_network_id,
            enable_snat: row.enable_snat,
            external_fixed_ips: addresses
              .get(row.gateway_port_id)!
              .map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
            qos_policy_id: null,
          },
    distributed: false,
    ha: false,
    flavor_id: null,
    availability_zones: row.host === null ? [] : [zone],
  }))
}
