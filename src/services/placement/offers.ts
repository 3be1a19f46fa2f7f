/** Placement's contract, kept: the functions that other services call, in their transaction. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import { aggregatesOf, replaceAggregates } from './aggregates/aggregate.ts'
import { amountsOf, amountsOfMany, replaceAllocations } from './allocations/allocation.ts'
import { consumers } from './allocations/store.ts'
import { explain } from './candidates/explain.ts'
import { type RequestGroup, search } from './candidates/search.ts'
import { createClass, unknownClasses } from './classes/class.ts'
import { standardClasses } from './classes/standard-classes.ts'
import { choiceOf } from './config.ts'
import type { CandidateRequest, PlacementContract, ProviderSpec } from './contract.ts'
import { replaceInventories } from './inventories/inventory.ts'
import { createProvider, removeProvider } from './providers/provider.ts'
import { inventories, lockProviders, offersOf, providers, touchProvider } from './providers/store.ts'
import { snapshotFor } from './snapshot.ts'
import { standardTraits } from './traits/standard-traits.ts'
import { createTrait, replaceTraits, unknownTraits } from './traits/trait.ts'

export const placementContract: PlacementContract = {
  standardNames: { traits: standardTraits, resourceClasses: new Set(standardClasses) },
  ensureProvider: (ctx, provider) => ctx.transaction(tx => ensure(tx, provider)),
  childrenOf: async (ctx, parent_uuid) =>
    (await providers.list(ctx.db, { parent_uuid })).map(({ uuid, name }) => ({ uuid, name })),
  removeProvider: (ctx, uuid) =>
    ctx.transaction(async tx => {
      if (await providers.find(tx.db, { uuid })) await removeProvider(tx, uuid)
    }),
  async candidates(ctx, request) {
    const groups = [groupOf(request)]
    const snapshot = await snapshotFor(ctx)
    return search(snapshot, { groups, ...choiceOf(ctx, request.limit), one_per_tree: true })
  },
  explain: async (ctx, request) => explain(await snapshotFor(ctx), groupOf(request)),
  claim: (ctx, consumer, allocations) => ctx.transaction(tx => replaceAllocations(tx, [{ ...consumer, allocations }])),
  claimMany: (ctx, claims) =>
    ctx.transaction(tx =>
      replaceAllocations(
        tx,
        claims.map(({ consumer, allocations }) => ({ ...consumer, allocations })),
      ),
    ),
  handOver: (ctx, from, to) =>
    ctx.transaction(async tx => {
      const before = { id: from, project_id: to.project_id, user_id: to.user_id, allocations: {} }
      await replaceAllocations(tx, [before, { ...to, allocations: await amountsOf(tx, from) }])
    }),
  release: (ctx, id) => release(ctx, [id]),
  releaseMany: release,
  consumersOf: async (ctx, type) => (await consumers.list(ctx.db, { type })).map(row => row.uuid),
  allocationsOf: amountsOf,
  allocationsOfMany: amountsOfMany,
  async usagesOf(ctx, provider) {
    const rows = await inventories.list(ctx.db, { provider })
    return Object.fromEntries(rows.map(row => [row.resource_class, row.used]))
  },
  offersOf,
  holdProvider: async (ctx, uuid) => {
    await lockProviders(ctx, [uuid])
    await touchProvider(ctx, uuid)
  },
  setAggregates: (ctx, provider, aggregates) =>
    ctx.transaction(async tx => {
      if (!(await lockProviders(tx, [provider])).has(provider))
        throw new Conflict(`Resource provider ${provider} is gone.`)
      if (same(await aggregatesOf(tx, provider), aggregates)) return
      await replaceAggregates(tx, provider, aggregates)
      await touchProvider(tx, provider)
    }),
}

function release(ctx: Ctx, ids: readonly string[]): Promise<void> {
  const nothing = ids.map(id => ({ id, project_id: '', user_id: '', allocations: {} }))
  return ctx.transaction(tx => replaceAllocations(tx, nothing))
}

function groupOf(request: CandidateRequest): RequestGroup {
  return {
    suffix: '',
    resources: request.resources,
    required: request.required_traits.map(trait => [trait]),
    forbidden: request.forbidden_traits,
    member_of: request.member_of,
    forbidden_aggregates: [],
    in_tree: request.in_tree,
  }
}

/** Hosts report themselves often, so nothing is written when nothing changed. */
async function ensure(
  ctx: Ctx,
  { uuid, name, parent, inventories: wanted, traits, keepsCustom = false }: ProviderSpec,
): Promise<void> {
  const known = (await lockProviders(ctx, [uuid])).get(uuid)
  if (!known) await createProvider(ctx, { uuid, name, parent_uuid: parent ?? null })
  for (const resourceClass of await unknownClasses(ctx, Object.keys(wanted))) await createClass(ctx, resourceClass)
  for (const trait of await unknownTraits(ctx, traits)) await createTrait(ctx, trait)
  const inventoriesChanged = await replaceInventories(ctx, uuid, wanted, { keepUsed: true, keepCustom: keepsCustom })
  const traitsChanged = await replaceTraits(ctx, uuid, traits, { keepCustom: keepsCustom })
  const renamed = known !== undefined && known.name !== name
  if (!inventoriesChanged && !traitsChanged && !renamed) return
  await touchProvider(ctx, uuid, { patch: renamed ? { name } : {} })
  if (parent) await touchProvider(ctx, parent)
}

const same = (a: string[], b: string[]) => a.length === new Set(b).size && a.every(item => b.includes(item))
