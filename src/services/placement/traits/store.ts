/** Rows of custom traits. The standard ones are a list in the code. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'

export interface TraitRow {
  name: string
  created_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    placement_traits: TraitRow
  }
}

export const customTraits = rows<TraitRow>('placement_traits')

/** Those of the names that are custom traits. Inside a transaction they stay so until its end. */
export async function knownTraits(ctx: Ctx, names: string[]): Promise<Set<string>> {
  let query = ctx.db.selectFrom('placement_traits').select('name').where('name', 'in', names).orderBy('name')
  if (ctx.database.engine === 'postgres' && ctx.db.isTransaction) query = query.forShare()
  return new Set(names.length > 0 ? (await query.execute()).map(row => row.name) : [])
}

/** Keeps others from giving the trait to a provider until the transaction ends. False when there is none of the name. */
export async function lockTrait(ctx: Ctx, name: string): Promise<boolean> {
  let query = ctx.db.selectFrom('placement_traits').select('name').where('name', '=', name)
  if (ctx.database.engine === 'postgres') query = query.forUpdate()
  return (await query.executeTakeFirst()) !== undefined
}

/** The traits that some provider has. */
export async function traitsInUse(ctx: Ctx): Promise<Set<string>> {
  const found = await ctx.db.selectFrom('placement_provider_traits').select('trait').distinct().execute()
  return new Set(found.map(row => row.trait))
}
