/** Registered limits: made many at once. */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { Forbidden, NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, texts } from '../answers.ts'
import { regions, services } from '../catalog/store.ts'
import { conflict, expecting } from '../faults.ts'
import { collectionOf, equals, inexact, linkTo } from '../listing.ts'
import { adminRequired, allScopes, identityRule, systemOrProject } from '../policy.ts'
import { limits, type RegisteredLimitRow, registeredLimits } from './store.ts'

const answer = Type.Object({
  ...texts('id', 'service_id', 'region_id', 'resource_name', 'description'),
  default_limit: Type.Integer(),
  links: Type.Optional(linksAnswer),
})

const path = '/v3/registered_limits'
export const limitNumber = Type.Integer({ minimum: -1, maximum: 2_147_483_647 })
export const nullableText = Type.Union([Type.String({ maxLength: 65_535 }), Type.Null()])
export const regionId = Type.Union([Type.String({ minLength: 1, maxLength: 255 }), Type.Null()])
export const resourceName = Type.String({ minLength: 1, maxLength: 255, pattern: '\\S' })
export const serviceId = Type.String({ format: 'uuid' })

const attributes = {
  service_id: serviceId,
  region_id: Type.Optional(regionId),
  resource_name: resourceName,
  default_limit: limitNumber,
  description: Type.Optional(nullableText),
}

function view(ctx: Ctx, row: RegisteredLimitRow) {
  return { ...row, links: linkTo(ctx, `registered_limits/${row.id}`) }
}

/** The service and the region must be there. */
export async function checkPlaces(
  ctx: Ctx,
  target: string,
  { service_id, region_id }: { service_id?: string | undefined; region_id?: string | null | undefined },
): Promise<void> {
  if (service_id !== undefined && !(await services.find(ctx.db, { id: service_id }))) {
    throw expecting('service_id', target)
  }
  if (typeof region_id === 'string' && !(await regions.find(ctx.db, { id: region_id }))) {
    throw expecting('region_id', target)
  }
}

async function find(ctx: Ctx, id: string): Promise<RegisteredLimitRow> {
  const row = await registeredLimits.find(ctx.db, { id })
  if (!row) throw new NotFound(`Could not find registered limit for ${id}.`)
  return row
}

async function unlessTaken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UniqueViolation) throw conflict('registered_limit', 'Duplicate entry')
    throw error
  }
}

/** A registered limit stays as it is while others stand in its place. */
async function checkUnused(ctx: Ctx, id: string): Promise<void> {
  if (!(await limits.find(ctx.db, { registered_limit_id: id }))) return
  throw new Forbidden(
    `Unable to update or delete registered limit ${id} because there are project limits associated with it.`,
  )
}

const list = operation({
  id: 'identity.registered_limits.list',
  method: 'GET',
  path,
  summary: 'List registered limits',
  response: listOf('registered_limits', answer),
  policy: identityRule('list_registered_limits', '', allScopes),
  async handle(ctx, { query, url }) {
    const where = equals(query, ['service_id', 'region_id', 'resource_name'])
    const found = await registeredLimits.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    const shown = inexact(query, found, ['service_id', 'region_id', 'resource_name'])
    return { registered_limits: shown.map(row => view(ctx, row)), links: collectionOf(ctx, url) }
  },
})

const show = operation({
  id: 'identity.registered_limits.show',
  method: 'GET',
  path: `${path}/{registered_limit_id}`,
  summary: 'Show a registered limit',
  response: oneOf('registered_limit', answer),
  policy: identityRule('get_registered_limit', '', allScopes),
  handle: async (ctx, { params }) => ({ registered_limit: view(ctx, await find(ctx, params.registered_limit_id)) }),
})

const create = operation({
  id: 'identity.registered_limits.create',
  method: 'POST',
  path,
  summary: 'Create registered limits',
  response: Type.Object({ registered_limits: Type.Array(answer) }),
  policy: identityRule('create_registered_limits', adminRequired, systemOrProject),
  request: Type.Object(
    {
      registered_limits: Type.Array(Type.Object(attributes, { additionalProperties: false }), {
        minItems: 1,
        maxItems: 1000,
      }),
    },
    { additionalProperties: false },
  ),
  status: 201,
  async handle(ctx, { body }) {
    return unlessTaken(() =>
      ctx.transaction(async tx => {
        const made: RegisteredLimitRow[] = []
        for (const sent of body.registered_limits) {
          await checkPlaces(tx, 'registered_limit', sent)
          const row = { id: tx.ids.hex(), region_id: null, description: null, ...sent }
          await registeredLimits.insert(tx.db, row)
          made.push(row)
        }
        return { registered_limits: made.map(row => view(tx, row)) }
      }),
    )
  },
})

const update = operation({
  id: 'identity.registered_limits.update',
  method: 'PATCH',
  path: `${path}/{registered_limit_id}`,
  summary: 'Change a registered limit that no other is in place of',
  response: oneOf('registered_limit', answer),
  policy: identityRule('update_registered_limit', adminRequired, systemOrProject),
  request: Type.Object(
    { registered_limit: Type.Partial(Type.Object(attributes, { additionalProperties: false })) },
    { additionalProperties: false },
  ),
  async handle(ctx, { params: { registered_limit_id: id }, body: { registered_limit: patch } }) {
    return unlessTaken(() =>
      ctx.transaction(async tx => {
        await checkPlaces(tx, 'registered_limit', patch)
        const row = await find(tx, id)
        await checkUnused(tx, id)
        const changed = { ...row, ...patch } as RegisteredLimitRow
        await registeredLimits.update(tx.db, { id }, changed)
        return { registered_limit: view(tx, changed) }
      }),
    )
  },
})

const remove = operation({
  id: 'identity.registered_limits.delete',
  method: 'DELETE',
  path: `${path}/{registered_limit_id}`,
  summary: 'Delete a registered limit that no other is in place of',
  policy: identityRule('delete_registered_limit', adminRequired, systemOrProject),
  async handle(ctx, { params: { registered_limit_id: id } }) {
    await ctx.transaction(async tx => {
      await find(tx, id)
      await checkUnused(tx, id)
      await registeredLimits.remove(tx.db, { id })
    })
    return undefined
  },
})

export const registeredLimitOperations = [list, show, create, update, remove]
