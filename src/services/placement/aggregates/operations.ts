/** The aggregates that a provider is in. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, since } from '#kernel/schema/marks.ts'
import { dated, generation, placementRule, uuid } from '../dialect.ts'
import { getProvider, loadProvider, lockProvider, staleGeneration } from '../providers/provider.ts'
import { touchProvider } from '../providers/store.ts'
import { aggregatesOf, replaceAggregates } from './aggregate.ts'

const ruleOf = (verb: string) => placementRule(`resource_providers:aggregates:${verb}`)

const path = '/resource_providers/{uuid}/aggregates'
const shown = Type.Object({ aggregates: Type.Array(uuid), resource_provider_generation: since('1.19', generation) })

const aggregateList = Type.Array(uuid, { uniqueItems: true })
const atGeneration = Type.Object(
  { aggregates: aggregateList, resource_provider_generation: generation },
  { additionalProperties: false },
)

function answer(ctx: Ctx, aggregates: string[], seen: number) {
  const body: Static<typeof shown> = { aggregates, resource_provider_generation: seen }
  return dated(ctx, body)
}

const list = operation({
  id: 'placement.aggregates.list',
  method: 'GET',
  path,
  summary: 'List the aggregates that a provider is in',
  versions: { min: '1.1' },
  policy: ruleOf('list'),
  response: shown,
  async handle(ctx, { params }) {
    const provider = await getProvider(ctx, params.uuid)
    return answer(ctx, await aggregatesOf(ctx, provider.uuid), provider.generation)
  },
})

const replace = operation({
  id: 'placement.aggregates.replace',
  method: 'PUT',
  path,
  summary: 'Put a provider in exactly these aggregates',
  versions: { min: '1.1' },
  policy: ruleOf('update'),
  load: loadProvider(ruleOf('update')),
  request: byVersion({ '1.1': aggregateList, '1.19': atGeneration }, atGeneration),
  response: shown,
  handle: (ctx, { params, body }) =>
    ctx.transaction(async tx => {
      const asked: Static<typeof atGeneration> | string[] = body
      const [aggregates, seen] = Array.isArray(asked) ? [asked] : [asked.aggregates, asked.resource_provider_generation]
      const provider = await lockProvider(tx, params.uuid, seen, staleGeneration)
      await replaceAggregates(tx, provider.uuid, aggregates)
      await touchProvider(tx, provider.uuid, { keepGeneration: seen === undefined })
      return answer(tx, aggregates, provider.generation + (seen === undefined ? 0 : 1))
    }),
})

export const aggregateOperations: Operation[] = [list, replace]
