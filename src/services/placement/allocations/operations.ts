/** Allocations: what consumers have of providers, written for one consumer or for several in one transaction. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, requiredSince, since } from '#kernel/schema/marks.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { classPattern, dated, externalId, generation, placementRule, uuid, uuidPattern } from '../dialect.ts'
import { dashed, getProvider } from '../providers/provider.ts'
import { providers } from '../providers/store.ts'
import { type Amounts, type ConsumerClaim, replaceAllocations } from './allocation.ts'
import { allocations, consumers, consumersOf } from './store.ts'

const ruleOf = (verb: string) => placementRule(`allocations:${verb}`)

const closed = { additionalProperties: false }
const resources = Type.Record(Type.String({ pattern: classPattern }), Type.Integer({ minimum: 1 }), {
  ...closed,
  minProperties: 1,
})
const listed = Type.Array(Type.Object({ resource_provider: Type.Object({ uuid }, closed), resources }, closed), {
  minItems: 1,
})
const keyed = (minProperties: number) =>
  Type.Record(
    Type.String({ pattern: uuidPattern }),
    Type.Object({ generation: Type.Optional(generation), resources }, closed),
    { ...closed, minProperties },
  )

const withoutOwner = '00000000-0000-0000-0000-000000000000'
const owned = {
  project_id: requiredSince('1.8', externalId),
  user_id: requiredSince('1.8', externalId),
  consumer_generation: requiredSince('1.28', Type.Union([Type.Integer(), Type.Null()])),
  mappings: since(
    '1.34',
    Type.Record(Type.String({ pattern: '[a-zA-Z0-9_-]{1,64}' }), Type.Array(uuid, { minItems: 1 }), {
      minProperties: 1,
    }),
  ),
  consumer_type: requiredSince('1.38', Type.String({ minLength: 1, maxLength: 255, pattern: classPattern })),
}
const oneConsumer = Type.Object(
  { ...owned, allocations: byVersion({ '1.0': listed, '1.12': keyed(1), '1.28': keyed(0) }, keyed(0)) },
  closed,
)
const deletable = Type.Object({ ...owned, allocations: keyed(0) }, closed)
/** What `POST /allocations` takes, and the reshaper. */
export const manyConsumers = (minProperties: number) =>
  Type.Record(Type.String({ pattern: uuidPattern }), deletable, { ...closed, minProperties })

type Asked = Static<typeof deletable>
type Listed = Static<typeof listed>

/** Amounts by provider, from either of the forms that a body may have. */
function amountsFrom(asked: Asked['allocations'] | Listed): Amounts {
  const entries = Array.isArray(asked)
    ? asked.map(one => [one.resource_provider.uuid, one.resources] as const)
    : Object.entries(asked).map(([provider, one]) => [provider, one.resources] as const)
  return Object.fromEntries(entries)
}

function claimFrom(consumer: string, asked: Asked): ConsumerClaim {
  return {
    id: consumer,
    project_id: asked.project_id ?? withoutOwner,
    user_id: asked.user_id ?? withoutOwner,
    type: asked.consumer_type,
    generation: asked.consumer_generation,
    allocations: amountsFrom(asked.allocations),
  }
}

/** What a body for several consumers asks for. */
export function claimsFrom(body: Record<string, Asked>): ConsumerClaim[] {
  const claims = Object.entries(body).map(([consumer, asked]) => claimFrom(dashed(consumer), asked))
  if (new Set(claims.map(claim => claim.id)).size < claims.length)
    throw new BadRequest('The same consumer is named more than once.')
  return claims
}

const shown = Type.Object({
  allocations: Type.Record(
    Type.String(),
    Type.Object({ generation, resources: Type.Record(Type.String(), Type.Integer()) }),
  ),
  project_id: since('1.12', Type.String()),
  user_id: since('1.12', Type.String()),
  consumer_generation: since('1.28', Type.Integer()),
  consumer_type: since('1.38', Type.String()),
})

const show = operation({
  id: 'placement.allocations.show',
  method: 'GET',
  path: '/allocations/{consumer_uuid}',
  summary: 'Show what a consumer has; nothing is not an error',
  policy: ruleOf('list'),
  response: shown,
  async handle(ctx, { params }) {
    const id = dashed(params.consumer_uuid)
    const rows = await allocations.list(ctx.db, { consumer: id })
    const consumer = await consumers.find(ctx.db, { uuid: id })
    const its = await providers.list(ctx.db, { uuid: [...new Set(rows.map(row => row.provider))] })
    const answer: Static<typeof shown> = { allocations: {} }
    for (const provider of its) {
      const mine = rows.filter(row => row.provider === provider.uuid).map(row => [row.resource_class, row.used])
      answer.allocations[provider.uuid] = { generation: provider.generation, resources: Object.fromEntries(mine) }
    }
    if (!consumer || rows.length === 0) return dated(ctx, answer)
    const { project_id, user_id, generation: consumer_generation, type, updated_at } = consumer
    return dated(
      ctx,
      { ...answer, project_id, user_id, consumer_generation, consumer_type: type ?? 'unknown' },
      { at: updated_at },
    )
  },
})

const replace = operation({
  id: 'placement.allocations.replace',
  method: 'PUT',
  path: '/allocations/{consumer_uuid}',
  summary: 'Replace what a consumer has',
  policy: ruleOf('update'),
  request: oneConsumer,
  async handle(ctx, { params, body }) {
    if (!isUuid(params.consumer_uuid)) throw new BadRequest(`Malformed consumer_uuid: ${params.consumer_uuid}`)
    await write(ctx, [claimFrom(dashed(params.consumer_uuid), body)])
    return undefined
  },
})

const write = (ctx: Ctx, claims: ConsumerClaim[]) => ctx.transaction(tx => replaceAllocations(tx, claims))

const replaceMany = operation({
  id: 'placement.allocations.replace_many',
  method: 'POST',
  path: '/allocations',
  summary: 'Replace what several consumers have, all or none of it',
  versions: { min: '1.13' },
  policy: ruleOf('manage'),
  request: manyConsumers(1),
  async handle(ctx, { body }) {
    await write(ctx, claimsFrom(body))
    return undefined
  },
})

const remove = operation({
  id: 'placement.allocations.delete',
  method: 'DELETE',
  path: '/allocations/{consumer_uuid}',
  summary: 'Free what a consumer has',
  policy: ruleOf('delete'),
  async handle(ctx, { params }) {
    const id = dashed(params.consumer_uuid)
    await ctx.transaction(async tx => {
      if ((await allocations.count(tx.db, { consumer: id })) === 0)
        throw new NotFound(`No allocations for consumer '${params.consumer_uuid}'`)
      await replaceAllocations(tx, [{ id, project_id: '', user_id: '', allocations: {} }], { keepGenerations: true })
    })
    return undefined
  },
})

const ofProvider = Type.Object({
  resource_provider_generation: generation,
  allocations: Type.Record(
    Type.String(),
    Type.Object({
      resources: Type.Record(Type.String(), Type.Integer()),
      consumer_generation: since('1.28', Type.Integer()),
    }),
  ),
})

const showProvider = operation({
  id: 'placement.resource_providers.allocations',
  method: 'GET',
  path: '/resource_providers/{uuid}/allocations',
  summary: 'Show who has what of a provider',
  policy: placementRule('resource_providers:allocations:list'),
  response: ofProvider,
  async handle(ctx, { params }) {
    const provider = await getProvider(ctx, params.uuid)
    const rows = await allocations.list(ctx.db, { provider: provider.uuid })
    const generations = new Map((await consumersOf(ctx, provider.uuid)).map(row => [row.uuid, row.generation]))
    const answer: Static<typeof ofProvider> = { resource_provider_generation: provider.generation, allocations: {} }
    for (const { consumer, resource_class, used } of rows) {
      answer.allocations[consumer] ??= {
        resources: {},
        ...(ctx.atLeast('1.28') && { consumer_generation: generations.get(consumer) ?? 0 }),
      }
      answer.allocations[consumer].resources[resource_class] = used
    }
    return dated(ctx, answer)
  },
})

export const allocationOperations: Operation[] = [show, replace, replaceMany, remove, showProvider]
