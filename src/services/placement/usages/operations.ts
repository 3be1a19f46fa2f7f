/** Usages: what is used of a provider, and what a project uses of all of them. */
import { type Operation, operation } from '#kernel/operation.ts'
import { projectReaderOrAdmin, service } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { byVersion, since } from '#kernel/schema/marks.ts'
import { consumerCounts, usageTotals } from '../allocations/store.ts'
import { dated, externalId, generation, placementRule } from '../dialect.ts'
import { getProvider } from '../providers/provider.ts'
import { inventories } from '../providers/store.ts'

const byClass = Type.Record(Type.String(), Type.Integer())
const ofProvider = Type.Object({ resource_provider_generation: generation, usages: byClass })

const showProvider = operation({
  id: 'placement.resource_providers.usages',
  method: 'GET',
  path: '/resource_providers/{uuid}/usages',
  summary: 'Show what is used of a provider, by class',
  policy: placementRule('resource_providers:usages'),
  response: ofProvider,
  async handle(ctx, { params }) {
    const provider = await getProvider(ctx, params.uuid)
    const rows = await inventories.list(
      ctx.db,
      { provider: provider.uuid },
      { orderBy: [{ column: 'resource_class', direction: 'asc' }] },
    )
    const shown: Static<typeof ofProvider> = {
      resource_provider_generation: provider.generation,
      usages: Object.fromEntries(rows.map(row => [row.resource_class, row.used])),
    }
    return dated(ctx, shown)
  },
})

const byType = Type.Record(Type.String(), byClass)

const showTotals = operation({
  id: 'placement.usages.show',
  method: 'GET',
  path: '/usages',
  summary: 'Show what a project uses, by class and, from 1.38 on, by type of consumer',
  versions: { min: '1.9' },
  policy: placementRule('usages', `${projectReaderOrAdmin} or ${service}`),
  query: Type.Object(
    {
      project_id: externalId,
      user_id: Type.Optional(externalId),
      consumer_type: since(
        '1.38',
        Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Z0-9_]+$|^all|^unknown$' }),
      ),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({ usages: byVersion({ '1.9': byClass, '1.38': byType }, byType) }),
  // Whose usages they are decides who may see them.
  load: async (_ctx, { query }) => ({ project_id: (query as { project_id: string }).project_id }),
  async handle(ctx, { query: { project_id, user_id, consumer_type } }) {
    const who = { project_id, user_id }
    if (!ctx.atLeast('1.38')) {
      const usages: Record<string, number> = {}
      for (const row of await usageTotals(ctx, who))
        usages[row.resource_class] = (usages[row.resource_class] ?? 0) + row.used
      return dated(ctx, { usages })
    }
    const merged = consumer_type === 'all'
    const asked = consumer_type === undefined || merged ? {} : { type: consumer_type }
    const counts = await consumerCounts(ctx, who)
    const usages: Record<string, Record<string, number>> = {}
    for (const row of await usageTotals(ctx, { ...who, ...asked })) {
      const key = merged ? 'all' : (row.type ?? 'unknown')
      const all = [...counts.values()].reduce((sum, n) => sum + n, 0)
      usages[key] ??= { consumer_count: merged ? all : (counts.get(row.type) ?? 0) }
      usages[key][row.resource_class] = (usages[key][row.resource_class] ?? 0) + row.used
    }
    return dated(ctx, { usages })
  },
})

export const usageOperations: Operation[] = [showProvider, showTotals]
