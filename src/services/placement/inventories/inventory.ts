/** An inventory: how much of a resource class a provider has, and in what amounts it is given out. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { Type } from '#kernel/schema/builders.ts'
import { classOrder, requireClasses } from '../classes/class.ts'
import type { InventorySpec } from '../contract.ts'
import { classPattern, generation } from '../dialect.ts'
import { type InventoryRow, inventories, nowText } from '../providers/store.ts'

export const maxInt = 2_147_483_647

const unit = (minimum: number) => Type.Integer({ minimum, maximum: maxInt })
/** What may be said of an inventory. */
export const settings = {
  total: unit(1),
  reserved: Type.Optional(unit(0)),
  min_unit: Type.Optional(unit(1)),
  max_unit: Type.Optional(unit(1)),
  step_size: Type.Optional(unit(1)),
  allocation_ratio: Type.Optional(Type.Number({ maximum: 3.40282e38 })),
}
const closed = { additionalProperties: false }

/** What `PUT …/inventories` takes, and the reshaper for each provider. */
export const allInventories = Type.Object(
  {
    resource_provider_generation: generation,
    inventories: Type.Record(
      Type.String({ pattern: classPattern }),
      Type.Object({ ...settings, resource_provider_generation: Type.Optional(generation) }, closed),
      closed,
    ),
  },
  closed,
)

/** What may be allocated in all: the rule that no sum of allocations exceeds. */
export function capacityOf({ total, reserved = 0, allocation_ratio = 1 }: InventorySpec): number {
  return Math.min(Math.floor((total - reserved) * allocation_ratio), Number.MAX_SAFE_INTEGER)
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
export function checkCapacity(ctx: Ctx, provider: string, specs: Record<string, InventorySpec>, verb = 'update'): void {
  for (const [resourceClass, spec] of Object.entries(specs)) {
    const capacity = capacityOf(spec)
    const than = ctx.atLeast('1.26') ? 'greater than total' : 'greater than or equal to total'
    if (capacity < 0 || (capacity === 0 && !ctx.atLeast('1.26')))
      throw new BadRequest(
        `Unable to ${verb} inventory for resource provider ${provider}: Invalid inventory for '${resourceClass}' on resource provider '${provider}'. The reserved value is ${than}.`,
      )
  }
}

const settingNames = ['total', 'reserved', 'min_unit', 'max_unit', 'step_size', 'allocation_ratio'] as const

/** Changes one existing inventory; what is allocated stays. False when there is nothing to change. */
export async function changeInventory(ctx: Ctx, before: InventoryRow, spec: InventorySpec): Promise<boolean> {
  const { used: _, ...after } = inventoryRow(ctx, before.provider, before.resource_class, spec)
  if (settingNames.every(name => before[name] === after[name])) return false
  await inventories.update(ctx.db, { provider: before.provider, resource_class: before.resource_class }, after)
  return true
}

/**
 * Makes the inventories of a provider those of `wanted`, and says whether anything changed. Those in use that are not wanted are an
 * error, or stay with `keepUsed`; custom ones stay with `keepCustom`. The caller holds the provider's lock.
 */
export async function replaceInventories(
  ctx: Ctx,
  provider: string,
  wanted: Record<string, InventorySpec>,
  {
    keepUsed = false,
    keepCustom = false,
    about = `Unknown resource class in inventory for resource provider ${provider}`,
  } = {},
): Promise<boolean> {
  await requireClasses(ctx, Object.keys(wanted), about)
  const before = await inventories.list(ctx.db, { provider })
  const stays = (row: InventoryRow) =>
    (keepUsed && row.used > 0) || (keepCustom && row.resource_class.startsWith('CUSTOM_'))
  const gone = before.filter(row => !(row.resource_class in wanted) && !stays(row))
  const inUse = gone
    .filter(row => row.used > 0)
    .map(row => row.resource_class)
    .sort(classOrder)
  if (inUse.length > 0) throw inventoryInUse(provider, inUse)
  let changed = gone.length > 0
  if (changed) await inventories.remove(ctx.db, { provider, resource_class: gone.map(row => row.resource_class) })
  for (const [resourceClass, spec] of Object.entries(wanted)) {
    const known = before.find(row => row.resource_class === resourceClass)
    if (known) changed = (await changeInventory(ctx, known, spec)) || changed
    else {
      await inventories.insert(ctx.db, inventoryRow(ctx, provider, resourceClass, spec))
      changed = true
    }
  }
  return changed
}

export function inventoryInUse(
  provider: string,
  classes: string[],
  about = 'update conflict',
  type = 'placement.inventory.inuse',
): Conflict {
  return new Conflict(`${about}: Inventory for '${classes.join(', ')}' on resource provider '${provider}' in use.`, {
    type,
  })
}

/** Whether an inventory can give the amount. */
export function hasRoom(inventory: InventoryRow | undefined, amount: number): boolean {
  return (
    inventory !== undefined &&
    inventory.used + amount <= inventory.capacity &&
    amount >= inventory.min_unit &&
    amount <= inventory.max_unit &&
    amount % inventory.step_size === 0
  )
}
