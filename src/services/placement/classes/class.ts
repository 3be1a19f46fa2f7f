/** A resource class: a kind of resource, standard or custom (`CUSTOM_…`). */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { standardClasses } from './standard-classes.ts'
import { customClasses } from './store.ts'

const standard: ReadonlySet<string> = new Set(standardClasses)

export const isStandardClass = (name: string) => standard.has(name)

export async function classExists(ctx: Ctx, name: string): Promise<boolean> {
  return standard.has(name) || (await customClasses.find(ctx.db, { name })) !== undefined
}

/** Those of the names that are no class. */
export async function unknownClasses(ctx: Ctx, names: string[]): Promise<string[]> {
  const custom = names.filter(name => !standard.has(name))
  if (custom.length === 0) return []
  const known = new Set((await customClasses.list(ctx.db, { name: custom })).map(row => row.name))
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
