/** Allocations: what consumers have of providers. One function changes them, so one place keeps the rule that no provider gives more than it has. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { requireClasses } from '../classes/class.ts'
import { concurrentUpdate } from '../providers/provider.ts'
import { addUsed, type InventoryRow, inventories, lockProviders, touchProviders } from '../providers/store.ts'
import {
  type AllocationRow,
  allocations,
  type ConsumerRow,
  consumers,
  consumersWithAllocations,
  putConsumers,
} from './store.ts'

/** Amounts by resource class, by provider. */
export type Amounts = Record<string, Record<string, number>>

export interface ConsumerClaim {
  id: string
  project_id: string
  user_id: string
  /** Undefined leaves the type as it is. */
  type?: string | undefined
  /** The generation that the caller saw; null: it must be new; undefined: any. */
  generation?: number | null | undefined
  /** All that it is to have; nothing means that it is to be gone. */
  allocations: Amounts
}

/**
 * Replaces all allocations of the consumers, in the caller's transaction. Everything is checked before anything is written, so after an
 * error the transaction may go on with another choice. Throws 409 when a generation is not the one seen or a provider lacks the room,
 * and 400 for providers that do not exist. `keepGenerations` leaves the providers' generations as they are.
 */
export async function replaceAllocations(
  ctx: Ctx,
  claims: ConsumerClaim[],
  { keepGenerations = false, about = 'Unable to allocate inventory' } = {},
): Promise<void> {
  const ids = claims.map(claim => claim.id)
  await lockConsumers(ctx, ids)
  const { known, before } = await consumersWithAllocations(ctx, ids)
  for (const claim of claims) checkGeneration(claim, known.get(claim.id))
  const after = claims.flatMap(rowsOf)
  const touched = [...new Set([...before, ...after].map(row => row.provider))].sort()
  const locked = await lockProviders(ctx, touched)
  const missing = touched.find(uuid => !locked.has(uuid))
  if (missing) throw new BadRequest(`Allocation for resource provider '${missing}' that does not exist.`)
  await requireClasses(ctx, [...new Set(after.map(row => row.resource_class))], about)
  const deltas = deltasOf(before, after)
  checkRoom(await inventories.list(ctx.db, { provider: touched }), after, deltas)

  await touchProviders(ctx, touched, { keepGeneration: keepGenerations })
  await addDeltas(ctx, [...deltas.values()])
  if (before.length > 0) await allocations.remove(ctx.db, { consumer: ids })
  await allocations.insertMany(ctx.db, after)
  await writeConsumers(ctx, claims, known)
}

/** Servers of one request take the same of each host: one statement for all of them. */
async function addDeltas(ctx: Ctx, deltas: readonly Delta[]): Promise<void> {
  const byProvider = Map.groupBy(
    deltas.filter(({ used }) => used !== 0),
    ({ provider }) => provider,
  )
  const alike = Map.groupBy(byProvider, ([, own]) =>
    own
      .map(({ resource_class, used }) => `${resource_class} ${used}`)
      .sort()
      .join(),
  )
  for (const same of alike.values()) {
    const amounts = same[0]![1].map(({ resource_class, used }) => [resource_class, used] as const)
    await addUsed(
      ctx,
      same.map(([provider]) => provider),
      new Map(amounts),
    )
  }
}

/** Makes others who would write these consumers wait until the transaction ends. */
export async function lockConsumers(ctx: Ctx, ids: string[]): Promise<void> {
  for (const id of [...ids].sort()) await lock(ctx.db, ctx.database.engine, `placement/${id}`)
}

function rowsOf({ id, allocations: amounts }: ConsumerClaim): AllocationRow[] {
  return Object.entries(amounts).flatMap(([provider, resources]) =>
    Object.entries(resources).map(([resource_class, used]) => ({ consumer: id, provider, resource_class, used })),
  )
}

function checkGeneration({ generation }: ConsumerClaim, row: ConsumerRow | undefined): void {
  if (generation === undefined || generation === (row?.generation ?? null)) return
  throw new Conflict(
    `consumer generation conflict - expected ${row?.generation ?? 'null'} but got ${generation ?? 'None'}`,
    { type: concurrentUpdate },
  )
}

const keyOf = (row: { provider: string; resource_class: string }) => `${row.provider}/${row.resource_class}`

type Delta = Pick<AllocationRow, 'provider' | 'resource_class' | 'used'>

function deltasOf(before: AllocationRow[], after: AllocationRow[]): Map<string, Delta> {
  const deltas = new Map<string, Delta>()
  const add = (row: AllocationRow, sign: 1 | -1) => {
    const delta = deltas.get(keyOf(row)) ?? { provider: row.provider, resource_class: row.resource_class, used: 0 }
    delta.used += sign * row.used
    deltas.set(keyOf(row), delta)
  }
  for (const row of before) add(row, -1)
  for (const row of after) add(row, 1)
  return deltas
}

function checkRoom(present: InventoryRow[], after: AllocationRow[], deltas: Map<string, Delta>): void {
  const byKey = new Map(present.map(row => [keyOf(row), row]))
  for (const row of after) {
    const inventory = byKey.get(keyOf(row))
    const on = `'${row.resource_class}' on resource provider '${row.provider}'`
    if (!inventory)
      throw new Conflict(`Unable to allocate inventory: Inventory for ${on} invalid.`, {
        type: 'placement.undefined_code',
      })
    if (row.used < inventory.min_unit || row.used > inventory.max_unit || row.used % inventory.step_size !== 0)
      throw new Conflict(
        `Unable to allocate inventory: Unable to create allocation for ${on}. The requested amount would violate inventory constraints.`,
      )
    const delta = deltas.get(keyOf(row))!.used
    // What takes no more than before is let through even where the inventory has shrunk below what is used.
    if (delta > 0 && inventory.used + delta > inventory.capacity)
      throw new Conflict(
        `Unable to allocate inventory: Unable to create allocation for ${on}. The requested amount would exceed the capacity.`,
      )
  }
}

async function writeConsumers(
  ctx: Ctx,
  claims: readonly ConsumerClaim[],
  known: ReadonlyMap<string, ConsumerRow>,
): Promise<void> {
  const [kept, gone] = [claims.filter(one => rowsOf(one).length > 0), claims.filter(one => rowsOf(one).length === 0)]
  const going = gone.map(({ id }) => id).filter(id => known.has(id))
  if (going.length > 0) await consumers.remove(ctx.db, { uuid: going })
  const updated_at = new Date(ctx.clock.now()).toISOString()
  await putConsumers(
    ctx,
    kept.map(({ id: uuid, project_id, user_id, type }) => {
      const before = known.get(uuid)
      const generation = (before?.generation ?? 0) + 1
      return { uuid, project_id, user_id, type: type ?? before?.type ?? null, generation, updated_at }
    }),
  )
}

/** What a consumer has, by provider. */
export const amountsOf = async (ctx: Ctx, consumerId: string): Promise<Amounts> =>
  (await amountsOfMany(ctx, [consumerId])).get(consumerId) ?? {}

/** The same of several consumers, by id; those that have nothing are not in it. */
export async function amountsOfMany(ctx: Ctx, consumerIds: readonly string[]): Promise<Map<string, Amounts>> {
  const rows = await allocations.list(ctx.db, { consumer: consumerIds })
  const found = new Map<string, Amounts>()
  for (const { consumer, provider, resource_class, used } of rows) {
    const amounts = found.get(consumer) ?? {}
    amounts[provider] = { ...amounts[provider], [resource_class]: used }
    found.set(consumer, amounts)
  }
  return found
}
