/** An inventory: how much of a resource class a provider has, and in what amounts it is given out. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { requireClasses } from '../classes/class.ts'
import type { InventorySpec } from '../contract.ts'
import { type InventoryRow, inventories, nowText } from '../providers/store.ts'

export const maxInt = 2_147_483_647

/** What may be allocated in all: the rule that no sum of allocations exceeds. */
export function capacityOf({ total, reserved = 0, allocation_ratio = 1 }: InventorySpec): number {
  return Math.floor((total - reserved) * allocation_ratio)
}

export function inventoryRow(ctx: Ctx, provider: string, resourceClass: string, spec: InventorySpec): InventoryRow {
  return {
    provider,
    resource_class: resourceClass,
    total: spec.total,
    reserved: spec.reserved ?? 0,
    min_unit: spec.min_unit ?? 1,
    max_unit: spec.max_unit ?? maxInt,
    step_size: spec.step_size ?? 1,
    allocation_ratio: spec.allocation_ratio ?? 1,
    capacity: capacityOf(spec),
    used: 0,
    updated_at: nowText(ctx),
  }
}

/** Throws 400 when nothing of it could be given out. From 1.26 on all of it may be reserved. */
export function checkCapacity(ctx: Ctx, provider: string, specs: Record<string, InventorySpec>): void {
  for (const [resourceClass, spec] of Object.entries(specs)) {
    const capacity = capacityOf(spec)
    const than = ctx.atLeast('1.26') ? 'greater than total' : 'greater than or equal to total'
    if (capacity < 0 || (capacity === 0 && !ctx.atLeast('1.26')))
      throw new BadRequest(
        `Unable to update inventory for resource provider ${provider}: Invalid inventory for '${resourceClass}' on resource provider '${provider}'. The reserved value is ${than}.`,
      )
  }
}

const settings = ['total', 'reserved', 'min_unit', 'max_unit', 'step_size', 'allocation_ratio'] as const

/** Changes one existing inventory; what is allocated stays. False when there is none, or nothing to change. */
async function change(ctx: Ctx, before: InventoryRow, spec: InventorySpec): Promise<boolean> {
  const { used: _, ...after } = inventoryRow(ctx, before.provider, before.resource_class, spec)
  if (settings.every(name => before[name] === after[name])) return false
  await inventories.update(ctx.db, { provider: before.provider, resource_class: before.resource_class }, after)
  return true
}

/**
 * Makes the inventories of a provider those of `wanted`, and says whether anything changed. Those in use that are not wanted are an
 * error, or stay with `keepUsed`. The caller holds the provider's lock.
 */
export async function replaceInventories(
  ctx: Ctx,
  provider: string,
  wanted: Record<string, InventorySpec>,
  { keepUsed = false } = {},
): Promise<boolean> {
  await requireClasses(ctx, Object.keys(wanted))
  const before = await inventories.list(ctx.db, { provider })
  const gone = before.filter(row => !(row.resource_class in wanted) && !(keepUsed && row.used > 0))
  const inUse = gone.filter(row => row.used > 0).map(row => row.resource_class)
  if (inUse.length > 0) throw inventoryInUse(provider, inUse)
  let changed = gone.length > 0
  if (changed) await inventories.remove(ctx.db, { provider, resource_class: gone.map(row => row.resource_class) })
  for (const [resourceClass, spec] of Object.entries(wanted)) {
    const known = before.find(row => row.resource_class === resourceClass)
    if (known) changed = (await change(ctx, known, spec)) || changed
    else {
      await inventories.insert(ctx.db, inventoryRow(ctx, provider, resourceClass, spec))
      changed = true
    }
  }
  return changed
}

export function inventoryInUse(provider: string, classes: string[]): Conflict {
  return new Conflict(
    `update conflict: Inventory for '${classes.join(', ')}' on resource provider '${provider}' in use.`,
    { type: 'placement.inventory.inuse' },
  )
}
