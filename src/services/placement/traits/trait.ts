/** A trait: a quality that a provider has, standard or custom (`CUSTOM_…`). */
import type { Ctx } from '#kernel/context.ts'
import { nowText, providerTraits } from '../providers/store.ts'
import { standardTraits } from './standard-traits.ts'
import { knownTraits } from './store.ts'

export const isStandardTrait = (name: string) => standardTraits.has(name)

export const isCustomTraitName = (name: string) => /^CUSTOM_[A-Z0-9_]+$/.test(name) && name.length <= 255

/** Those of the names that are no trait. */
export async function unknownTraits(ctx: Ctx, names: string[]): Promise<string[]> {
  const custom = [...new Set(names)].filter(name => !standardTraits.has(name))
  if (custom.length === 0) return []
  const known = await knownTraits(ctx, custom)
  return custom.filter(name => !known.has(name))
}

/** Makes a custom trait; false when it exists. */
export async function createTrait(ctx: Ctx, name: string): Promise<boolean> {
  const made = await ctx.db
    .insertInto('placement_traits')
    .values({ name, created_at: nowText(ctx) })
    .onConflict(c => c.doNothing())
    .executeTakeFirst()
  return Number(made.numInsertedOrUpdatedRows) > 0
}

/** Gives a provider exactly these traits, and says whether anything changed. The caller holds the provider's lock. */
export async function replaceTraits(
  ctx: Ctx,
  provider: string,
  wanted: string[],
  { keepCustom = false } = {},
): Promise<boolean> {
  const before = (await providerTraits.list(ctx.db, { provider })).map(row => row.trait)
  const gone = before.filter(trait => !wanted.includes(trait) && !(keepCustom && isCustomTraitName(trait)))
  const fresh = [...new Set(wanted)].filter(trait => !before.includes(trait))
  if (gone.length > 0) await providerTraits.remove(ctx.db, { provider, trait: gone })
  await providerTraits.insertMany(
    ctx.db,
    fresh.map(trait => ({ provider, trait })),
  )
  return gone.length + fresh.length > 0
}
