/** A resource class: a kind of resource, standard or custom (`CUSTOM_…`). */
import type { Ctx } from '#kernel/context.ts'
import { UniqueViolation } from '#kernel/db/database.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { allocations } from '../allocations/store.ts'
import { inventories, lockProviders, nowText, touchProvider } from '../providers/store.ts'
import { standardClasses } from './standard-classes.ts'
import { customClasses, insertClass, knownClasses, lockClass } from './store.ts'

const standard: ReadonlySet<string> = new Set(standardClasses)

export const isStandardClass = (name: string) => standard.has(name)

/** The standard classes in their usual order, then the custom ones. */
export function classOrder(a: string, b: string): number {
  const place = (name: string) => (standard.has(name) ? standardClasses.indexOf(name) : standardClasses.length)
  return place(a) - place(b) || (a < b ? -1 : 1)
}

/** Those of the names that are no class. */
export async function unknownClasses(ctx: Ctx, names: string[]): Promise<string[]> {
  const custom = names.filter(name => !standard.has(name))
  if (custom.length === 0) return []
  const known = await knownClasses(ctx, custom)
  return custom.filter(name => !known.has(name))
}

/** Throws 400 when one of the classes does not exist. */
export async function requireClasses(
  ctx: Ctx,
  names: string[],
  about = 'Unknown resource class in inventory',
): Promise<void> {
  const [unknown] = await unknownClasses(ctx, names)
  if (unknown !== undefined) throw new BadRequest(`${about}: No such resource class ${unknown}.`)
}

/** Makes a custom class; false when it exists. */
export const createClass = (ctx: Ctx, name: string) => insertClass(ctx, { name, created_at: nowText(ctx) })

/**
 * Renames a custom class with all inventories and allocations of it, in the caller's transaction; false when there is none of the name.
 * As everywhere, providers are locked before classes.
 */
export async function renameClass(ctx: Ctx, before: string, after: string): Promise<boolean> {
  const holders = async () => (await inventories.list(ctx.db, { resource_class: before })).map(row => row.provider)
  await lockProviders(ctx, await holders())
  if (!(await lockClass(ctx, before))) return false
  try {
    await customClasses.update(ctx.db, { name: before }, { name: after })
  } catch (error) {
    throw error instanceof UniqueViolation ? new Conflict(`Resource class already exists: ${after}`) : error
  }
  for (const provider of (await holders()).sort()) await touchProvider(ctx, provider, { keepGeneration: true })
  await inventories.update(ctx.db, { resource_class: before }, { resource_class: after })
  await allocations.update(ctx.db, { resource_class: before }, { resource_class: after })
  return true
}
