/** Allocations: what consumers have of providers, written for one consumer or for several in one transaction. */
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { since } from '#kernel/schema/marks.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { claimFrom, claimsFrom, manyConsumers, oneConsumer } from '../claims.ts'
import { dated, generation, placementRule } from '../dialect.ts'
import { dashed, getProvider } from '../providers/provider.ts'
import { providers } from '../providers/store.ts'
import { replaceAllocations } from './allocation.ts'
import { allocations, consumers, consumersOf } from './store.ts'

const ruleOf = (verb: string) => placementRule(`allocations:${verb}`)

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
    const id = dashed(params.consumer_uuid)
    const about = `Unable to allocate inventory for consumer ${id}`
    await ctx.transaction(tx => replaceAllocations(tx, [claimFrom(id, body)], { about }))
    return undefined
  },
})

const replaceMany = operation({
  id: 'placement.allocations.replace_many',
  method: 'POST',
  path: '/allocations',
  summary: 'Replace what several consumers have, all or none of it',
  versions: { min: '1.13' },
  policy: ruleOf('manage'),
  request: manyConsumers(1),
  async handle(ctx, { body }) {
    await ctx.transaction(tx => replaceAllocations(tx, claimsFrom(body)))
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
