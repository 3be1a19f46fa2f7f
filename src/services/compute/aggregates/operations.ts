/** Aggregates: CRUD, their hosts, their metadata. Placement's aggregates follow them. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { body, hostName, integerId, metadata, naiveTime, name } from '../dialect.ts'
import { hosts as hostRows } from '../hosts/store.ts'
import { checkKeys } from '../metadata-keys.ts'
import { tellAggregate } from '../resource-events.ts'
import { listServers } from '../servers/store.ts'
import { type Aggregate, type AggregateRow, zoneKey } from './aggregate.ts'
import { cacheImages } from './cache-images.ts'
import { keepAggregates, loadAggregate } from './steps.ts'
import { aggregateHosts, aggregates, allAggregates, newAggregates } from './store.ts'

const ruleOf = (verb: string) => rule(`os_compute_api:os-aggregates:${verb}`, admin)

const text = Type.Union([Type.String(), Type.Null()])
const basicFields = {
  id: Type.Integer(),
  uuid: since('2.41', Type.String()),
  name: Type.String(),
  availability_zone: text,
  created_at: Type.String(),
  updated_at: text,
  deleted: Type.Boolean(),
  deleted_at: Type.Null(),
}
const aggregateSchema = Type.Object({
  ...basicFields,
  hosts: Type.Array(Type.String()),
  metadata: Type.Record(Type.String(), Type.String()),
})
const zoneName = Type.Union([
  Type.String({ minLength: 1, maxLength: 255, format: 'name', pattern: '^[^:]*$' }),
  Type.Null(),
])

function basicView(row: AggregateRow) {
  return {
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    availability_zone: row.metadata[zoneKey] ?? null,
    created_at: naiveTime(row.created_at),
    updated_at: row.updated_at && naiveTime(row.updated_at),
    deleted: false,
    deleted_at: null,
  }
}

function view(aggregate: Aggregate) {
  return { aggregate: { ...basicView(aggregate), hosts: aggregate.hosts, metadata: aggregate.metadata } }
}

/** A host is in one zone at most, and stays in it while it has servers. */
async function checkZone(
  ctx: Ctx,
  aggregate: Aggregate,
  change: { zone: string | null | undefined; hosts: string[]; moves: boolean },
  refuse: (reason: string) => Error,
): Promise<void> {
  const { zone, hosts, moves } = change
  if (zone === undefined) return
  if (!zone) throw refuse(`Aggregate ${aggregate.name} does not support empty named availability zone`)
  if (hosts.length === 0) return
  const others = (await allAggregates(ctx.db)).filter(
    other => other.id !== aggregate.id && other.hosts.some(host => hosts.includes(host)),
  )
  const clashing = others.map(other => other.metadata[zoneKey]).filter(name => name !== undefined && name !== zone)
  if (clashing.length > 0)
    throw refuse(`One or more hosts already in availability zone(s) ['${clashing.join("', '")}']`)
  const already = others.some(other => other.metadata[zoneKey] === zone)
  if (moves && !already && (await listServers(ctx, { host: hosts }, { limit: 1 })).length > 0)
    throw refuse('One or more hosts contain instances in this zone')
}

const cannot = (what: string, id: number) => (reason: string) =>
  new BadRequest(`Cannot ${what} aggregate ${id}. Reason: ${reason}.`)

const list = operation({
  id: 'compute.aggregates.list',
  method: 'GET',
  path: '/v2.1/os-aggregates',
  summary: 'List aggregates',
  policy: ruleOf('index'),
  response: body('aggregates', Type.Array(aggregateSchema)),
  handle: async ctx => ({ aggregates: (await allAggregates(ctx.db)).map(a => view(a).aggregate) }),
})

const show = operation({
  id: 'compute.aggregates.show',
  method: 'GET',
  path: '/v2.1/os-aggregates/{aggregate_id}',
  summary: 'Show an aggregate',
  policy: ruleOf('show'),
  response: body('aggregate', aggregateSchema),
  handle: async (ctx, { params }) => view(await loadAggregate(ctx, params.aggregate_id)),
})

const create = operation({
  id: 'compute.aggregates.create',
  method: 'POST',
  path: '/v2.1/os-aggregates',
  summary: 'Create an aggregate',
  policy: ruleOf('create'),
  request: body(
    'aggregate',
    Type.Object({ name, availability_zone: Type.Optional(zoneName) }, { additionalProperties: false }),
  ),
  response: body('aggregate', Type.Object(basicFields)),
  async handle(ctx, { body: { aggregate } }) {
    const row: Omit<AggregateRow, 'id'> = {
      uuid: ctx.ids.uuid(),
      name: aggregate.name,
      metadata: aggregate.availability_zone ? { [zoneKey]: aggregate.availability_zone } : {},
      created_at: new Date(ctx.clock.now()).toISOString(),
      updated_at: null,
    }
    const made = await named(aggregate.name, () =>
      ctx.transaction(async tx => {
        await newAggregates.insert(tx.db, row)
        const found = (await aggregates.find(tx.db, { uuid: row.uuid }))!
        await tellAggregate(tx, 'create', { ...found, hosts: [] }, { ...found, hosts: [] })
        return found
      }),
    )
    return { aggregate: basicView(made) }
  },
})

/** Does what gives an aggregate its name. */
async function named<T>(wanted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UniqueViolation) throw new Conflict(`Aggregate ${wanted} already exists.`)
    throw error
  }
}

const newFields = Type.Object(
  { name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })), availability_zone: Type.Optional(zoneName) },
  { additionalProperties: false, minProperties: 1 },
)

/** Of an aggregate that `was`, in the caller's transaction. */
async function change(
  ctx: Ctx,
  action: string,
  was: Aggregate,
  aggregate: Aggregate,
  patch: Partial<AggregateRow>,
): Promise<Aggregate> {
  const full = { ...patch, updated_at: new Date(ctx.clock.now()).toISOString() }
  await named(patch.name ?? aggregate.name, () => aggregates.update(ctx.db, { id: aggregate.id }, full))
  const is = { ...aggregate, ...full }
  await tellAggregate(ctx, action, was, is)
  return is
}

const update = operation({
  id: 'compute.aggregates.update',
  method: 'PUT',
  path: '/v2.1/os-aggregates/{aggregate_id}',
  summary: 'Rename an aggregate, or change its zone',
  policy: ruleOf('update'),
  request: body('aggregate', newFields),
  response: body('aggregate', aggregateSchema),
  handle: (ctx, { params, body: { aggregate: asked } }) =>
    ctx.transaction(async tx => {
      const aggregate = await loadAggregate(tx, params.aggregate_id)
      const zone = asked.availability_zone
      const moves = zone !== aggregate.metadata[zoneKey]
      await checkZone(tx, aggregate, { zone, hosts: aggregate.hosts, moves }, cannot('update', aggregate.id))
      const patch: Partial<AggregateRow> = {
        ...(asked.name !== undefined && { name: asked.name.trim() }),
        ...(zone && { metadata: { ...aggregate.metadata, [zoneKey]: zone } }),
      }
      return view(await change(tx, 'update_prop', aggregate, aggregate, patch))
    }),
})

const remove = operation({
  id: 'compute.aggregates.delete',
  method: 'DELETE',
  path: '/v2.1/os-aggregates/{aggregate_id}',
  summary: 'Delete an aggregate without hosts',
  status: 200,
  policy: ruleOf('delete'),
  async handle(ctx, { params }) {
    await ctx.transaction(async tx => {
      const aggregate = await loadAggregate(tx, params.aggregate_id)
      if (aggregate.hosts.length > 0) throw cannot('remove host from', aggregate.id)('Host aggregate is not empty')
      await aggregates.remove(tx.db, { id: aggregate.id })
      await tellAggregate(tx, 'delete', aggregate, aggregate)
    })
    return undefined
  },
})

const oneHost = Type.Object({ host: hostName }, { additionalProperties: false })
const actionPath = '/v2.1/os-aggregates/{aggregate_id}/action'

const addHost = operation({
  id: 'compute.aggregates.add_host',
  method: 'POST',
  path: actionPath,
  action: 'add_host',
  summary: 'Put a host in an aggregate',
  policy: ruleOf('add_host'),
  request: body('add_host', oneHost),
  response: body('aggregate', aggregateSchema),
  handle: (ctx, { params, body: { add_host: asked } }) =>
    ctx.transaction(async tx => {
      const { host } = asked
      const aggregate = await loadAggregate(tx, params.aggregate_id)
      const row = await hostRows.find(tx.db, { name: host })
      if (!row) throw new NotFound(`Compute host ${host} could not be found.`)
      const refuse = (reason: string) =>
        new Conflict(`Cannot add host to aggregate ${aggregate.id}. Reason: ${reason}.`)
      const zone = aggregate.metadata[zoneKey]
      await checkZone(tx, aggregate, { zone, hosts: [host], moves: true }, refuse)
      if (aggregate.hosts.includes(host)) throw new Conflict(`Aggregate ${aggregate.id} already has host ${host}.`)
      await aggregateHosts.insert(tx.db, { aggregate_id: aggregate.id, host })
      await keepAggregates(tx, row)
      const grown = { ...aggregate, hosts: [...aggregate.hosts, host].sort() }
      return view(await change(tx, 'add_host', aggregate, grown, {}))
    }),
})

const removeHost = operation({
  id: 'compute.aggregates.remove_host',
  method: 'POST',
  path: actionPath,
  action: 'remove_host',
  summary: 'Take a host out of an aggregate',
  policy: ruleOf('remove_host'),
  request: body('remove_host', oneHost),
  response: body('aggregate', aggregateSchema),
  handle: (ctx, { params, body: { remove_host: asked } }) =>
    ctx.transaction(async tx => {
      const { host } = asked
      const id = integerId(params.aggregate_id)
      if ((await aggregateHosts.remove(tx.db, { aggregate_id: id, host })) === 0)
        throw new NotFound(`Cannot remove host ${host} in aggregate ${params.aggregate_id}`)
      const aggregate = await loadAggregate(tx, params.aggregate_id)
      const row = await hostRows.find(tx.db, { name: host })
      if (row) await keepAggregates(tx, row)
      const was = { ...aggregate, hosts: [...aggregate.hosts, host].sort() }
      return view(await change(tx, 'remove_host', was, aggregate, {}))
    }),
})

const setMetadata = operation({
  id: 'compute.aggregates.set_metadata',
  method: 'POST',
  path: actionPath,
  action: 'set_metadata',
  summary: "Change an aggregate's metadata; null removes a key",
  policy: ruleOf('set_metadata'),
  request: body(
    'set_metadata',
    Type.Object(
      { metadata: metadata(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])) },
      { additionalProperties: false },
    ),
  ),
  response: body('aggregate', aggregateSchema),
  handle: (ctx, { params, body: { set_metadata: asked } }) =>
    ctx.transaction(async tx => {
      const aggregate = await loadAggregate(tx, params.aggregate_id)
      const zone = asked.metadata[zoneKey]
      const moves = zone !== aggregate.metadata[zoneKey]
      await checkZone(
        tx,
        aggregate,
        { zone, hosts: aggregate.hosts, moves },
        cannot('update metadata of', aggregate.id),
      )
      const merged = Object.entries({ ...aggregate.metadata, ...asked.metadata })
      const kept = merged.filter((entry): entry is [string, string] => entry[1] !== null)
      const changed = Object.fromEntries(kept)
      checkKeys(tx, changed, aggregate.metadata)
      return view(await change(tx, 'update_metadata', aggregate, aggregate, { metadata: changed }))
    }),
})

export const aggregateOperations: Operation[] = [
  list,
  show,
  create,
  update,
  remove,
  addHost,
  removeHost,
  setMetadata,
  cacheImages,
]
