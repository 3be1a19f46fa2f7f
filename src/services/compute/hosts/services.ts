/** Hosts as services (os-services): list, enable, disable, force down, forget. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { zoneOf } from '../aggregates/aggregate.ts'
import { aggregateHosts, allAggregates } from '../aggregates/store.ts'
import { computeConfig } from '../config.ts'
import { endDedication } from '../dedicated-hosts/store.ts'
import { body, flag, hostName, isTrue, naiveTime, numberedRow, query } from '../dialect.ts'
import { hostSignals } from '../host-signals/store.ts'
import { tellService } from '../resource-events.ts'
import { forgetRooms } from '../rooms/store.ts'
import { listServers } from '../servers/store.ts'
import { loadsOfHosts } from '../servers/store-loads.ts'
import { hasOpenMoves, wasEvacuated } from '../servers/store-moves.ts'
import { computeBinary, type HostRow, isUp } from './host.ts'
import { removeProviders } from './provider.ts'
import { changeHost, type HostChange } from './steps.ts'
import { hosts, inOrder } from './store.ts'

const rules = {
  list: rule('os_compute_api:os-services:list', admin),
  update: rule('os_compute_api:os-services:update', admin),
  delete: rule('os_compute_api:os-services:delete', admin),
}

const serviceSchema = Type.Object({
  id: Type.Union([Type.Integer(), Type.String()]),
  binary: Type.String(),
  host: Type.String(),
  zone: Type.String(),
  status: Type.String(),
  state: Type.String(),
  updated_at: Type.String(),
  disabled_reason: Type.Union([Type.String(), Type.Null()]),
  forced_down: since('2.11', Type.Boolean()),
  /** When asked for: how many servers it is building, copying or moving. Not upstream's. */
  running: Type.Optional(Type.Integer()),
})

function view(ctx: Ctx, row: HostRow, zone: string) {
  return {
    id: ctx.atLeast('2.53') ? row.uuid : row.id,
    binary: computeBinary,
    host: row.name,
    zone,
    status: row.disabled ? 'disabled' : 'enabled',
    state: isUp(ctx, row) ? 'up' : 'down',
    updated_at: naiveTime(row.last_seen),
    disabled_reason: row.disabled_reason,
    forced_down: row.forced_down,
  }
}

async function views(ctx: Ctx, rows: HostRow[]) {
  const aggregates = await allAggregates(ctx.db)
  const fallback = ctx.config.of(computeConfig).default_availability_zone
  return rows.map(row => view(ctx, row, zoneOf(row.name, aggregates, fallback)))
}

const list = operation({
  id: 'compute.services.list',
  method: 'GET',
  path: '/v2.1/os-services',
  summary: 'List compute services',
  policy: rules.list,
  query: query({
    host: Type.Optional(Type.String()),
    binary: Type.Optional(Type.String()),
    running: Type.Optional(flag),
  }),
  response: body('services', Type.Array(serviceSchema)),
  async handle(ctx, { query }) {
    if (query.binary && query.binary !== computeBinary) return { services: [] }
    const services = await views(ctx, await hosts.list(ctx.db, query.host ? { name: query.host } : {}, inOrder))
    if (!isTrue(query.running)) return { services }
    const loads = await loadsOfHosts(ctx)
    return { services: services.map(one => ({ ...one, running: loads.get(one.host)?.io_ops ?? 0 })) }
  },
})

async function change(ctx: Ctx, row: HostRow, patch: HostChange): Promise<HostRow> {
  if (patch.forced_down === false && (await wasEvacuated(ctx, row.name)))
    throw new BadRequest(
      `Unable to force up host ${row.name} as \`done\` evacuation migration records remain associated with the host. ` +
        'Ensure the compute service has been restarted, allowing these records to move to `completed` before retrying this request.',
    )
  return changeHost(ctx, row, patch)
}

/** What each verb of the old form changes. */
const verbs: Record<string, (asked: { disabled_reason?: string; forced_down?: boolean | string }) => HostChange> = {
  enable: () => ({ disabled: false, disabled_reason: null }),
  disable: () => ({ disabled: true, disabled_reason: null }),
  'disable-log-reason': ({ disabled_reason }) => {
    if (disabled_reason === undefined) throw new BadRequest('Missing disabled reason field')
    return { disabled: true, disabled_reason }
  },
  'force-down': ({ forced_down }) => {
    if (forced_down === undefined) throw new BadRequest('Missing forced_down field')
    return { forced_down: isTrue(forced_down) }
  },
}

const oldFields = {
  host: hostName,
  binary: Type.String({ minLength: 1, maxLength: 255 }),
  disabled_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  forced_down: since('2.11', flag),
}

const updateByName = operation({
  id: 'compute.services.update_by_name',
  method: 'PUT',
  // Named as at the newer versions, with which it shares its route: it is the verb.
  path: '/v2.1/os-services/{service_id}',
  summary: 'Enable, disable or force down a service, named by its host',
  versions: { max: '2.52' },
  policy: rules.update,
  request: Type.Object(oldFields, { additionalProperties: false }),
  response: body('service', Type.Record(Type.String(), Type.Unknown())),
  async handle(ctx, { params, body: asked }) {
    const verbName = params.service_id
    const known = verbName !== 'force-down' || ctx.atLeast('2.11')
    const verb = known && Object.hasOwn(verbs, verbName) ? verbs[verbName] : undefined
    if (!verb) throw new NotFound('Unknown action')
    const patch = verb(asked)
    const { host, binary } = asked
    if (binary !== computeBinary)
      throw new BadRequest(`Updating a ${binary} service is not supported. Only nova-compute services can be updated.`)
    const row = await hosts.find(ctx.db, { name: host })
    if (!row) throw new NotFound(`Could not find binary ${binary} on host ${host}.`)
    await change(ctx, row, patch)
    if (patch.forced_down !== undefined) return { service: { host, binary, forced_down: patch.forced_down } }
    const status = patch.disabled ? 'disabled' : 'enabled'
    const reason = patch.disabled_reason ? { disabled_reason: patch.disabled_reason } : {}
    return { service: { host, binary, status, ...reason } }
  },
})

/** The service of a path's id: a UUID from 2.53 on, a number before. */
async function serviceOf(ctx: Ctx, id: string): Promise<HostRow> {
  if (ctx.atLeast('2.53') && !isUuid(id)) throw new BadRequest(`Invalid uuid ${id}`)
  if (!ctx.atLeast('2.53') && !/^\d{1,10}$/.test(id))
    throw new BadRequest('Invalid input received: id must be an integer')
  const row = await hosts.find(ctx.db, ctx.atLeast('2.53') ? { uuid: id } : { id: numberedRow(id) })
  if (!row) throw new NotFound(`Service ${id} could not be found.`)
  return row
}

const update = operation({
  id: 'compute.services.update',
  method: 'PUT',
  path: '/v2.1/os-services/{service_id}',
  summary: 'Enable, disable or force down a service',
  versions: { min: '2.53' },
  policy: rules.update,
  request: Type.Object(
    {
      status: Type.Optional(Type.Unsafe<'enabled' | 'disabled'>({ type: 'string', enum: ['enabled', 'disabled'] })),
      disabled_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
      forced_down: Type.Optional(flag),
    },
    { additionalProperties: false },
  ),
  response: body('service', serviceSchema),
  async handle(ctx, { params, body: asked }) {
    const row = await serviceOf(ctx, params.service_id)
    if (asked.status === 'enabled' && asked.disabled_reason)
      throw new BadRequest("Specifying 'disabled_reason' with status 'enabled' is invalid.")
    if (asked.status === undefined && asked.forced_down === undefined)
      throw new BadRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    const patch: HostChange = {
      ...(asked.status === 'enabled' && { disabled: false, disabled_reason: null }),
      ...(asked.status === 'disabled' && { disabled: true, disabled_reason: asked.disabled_reason ?? null }),
      ...(asked.forced_down !== undefined && { forced_down: isTrue(asked.forced_down) }),
    }
    const [service] = await views(ctx, [await change(ctx, row, patch)])
    return { service: service! }
  },
})

const remove = operation({
  id: 'compute.services.delete',
  method: 'DELETE',
  path: '/v2.1/os-services/{service_id}',
  summary: 'Forget a host that is gone for good',
  policy: rules.delete,
  async handle(ctx, { params }) {
    await ctx.transaction(async tx => {
      const row = await serviceOf(tx, params.service_id)
      if ((await listServers(tx, { host: row.name }, { limit: 1 })).length > 0)
        throw new Conflict(
          'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
        )
      if (await hasOpenMoves(tx, row.name))
        throw new Conflict(
          'Unable to delete compute service that has in-progress migrations. Complete the migrations or delete the instances first.',
        )
      await aggregateHosts.remove(tx.db, { host: row.name })
      await hostSignals.remove(tx.db, { host: row.name })
      await endDedication(tx, row.name)
      await forgetRooms(tx, row.name)
      await removeProviders(tx, row.provider_uuid)
      await hosts.remove(tx.db, { id: row.id })
      await tellService(tx, 'delete', row)
    })
    return undefined
  },
})

export const serviceOperations: Operation[] = [list, updateByName, update, remove]
