/** The reshaper: inventories and allocations move between providers in one transaction. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { service } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { type ConsumerClaim, lockConsumers, replaceAllocations } from '../allocations/allocation.ts'
import { allocations } from '../allocations/store.ts'
import { claimsFrom, manyConsumers } from '../claims.ts'
import { placementRule, uuidPattern } from '../dialect.ts'
import { allInventories, replaceInventories } from '../inventories/inventory.ts'
import { concurrentUpdate } from '../providers/provider.ts'
import { lockProviders, touchProvider } from '../providers/store.ts'

type Wanted = Record<string, Static<typeof allInventories>>

/** Locks all that changes, in the order in which everyone locks: consumers, then providers. */
async function lockAll(ctx: Ctx, wanted: Wanted, claims: ConsumerClaim[]): Promise<void> {
  const ids = claims.map(claim => claim.id)
  await lockConsumers(ctx, ids)
  const before = await allocations.list(ctx.db, { consumer: ids })
  const touched = [...before.map(row => row.provider), ...claims.flatMap(claim => Object.keys(claim.allocations))]
  const locked = await lockProviders(ctx, [...new Set([...Object.keys(wanted), ...touched])])
  for (const [uuid, { resource_provider_generation: given }] of Object.entries(wanted)) {
    const row = locked.get(uuid)
    if (!row)
      throw new BadRequest(
        `Resource provider ${uuid} in inventories not found: No resource provider with uuid ${uuid} found`,
        { type: 'placement.resource_provider.not_found' },
      )
    if (row.generation !== given)
      throw new Conflict(
        `resource provider generation conflict for provider ${uuid}: actual: ${row.generation}, given: ${given}`,
        { type: concurrentUpdate },
      )
  }
}

const reshape = operation({
  id: 'placement.reshaper.reshape',
  method: 'POST',
  path: '/reshaper',
  summary: 'Move inventories and allocations between providers, all or none of it',
  versions: { min: '1.30' },
  policy: placementRule('reshaper:reshape', service),
  request: Type.Object(
    {
      inventories: Type.Record(Type.String({ pattern: uuidPattern }), allInventories, {
        additionalProperties: false,
        minProperties: 1,
      }),
      allocations: manyConsumers(0),
    },
    { additionalProperties: false },
  ),
  async handle(ctx, { body }) {
    const claims = claimsFrom(body.allocations)
    const wanted = Object.entries(body.inventories)
    const about = 'malformed reshaper data'
    await ctx.transaction(async tx => {
      await lockAll(tx, body.inventories, claims)
      // What is in use stays until the allocations have left it.
      for (const [uuid, { inventories }] of wanted) {
        await replaceInventories(tx, uuid, inventories, { keepUsed: true, about })
        if (Object.keys(inventories).length > 0) await touchProvider(tx, uuid)
      }
      await replaceAllocations(tx, claims)
      for (const [uuid, { inventories }] of wanted) {
        await replaceInventories(tx, uuid, inventories, { about })
        await touchProvider(tx, uuid)
      }
    })
    return undefined
  },
})

export const reshaperOperations: Operation[] = [reshape]
