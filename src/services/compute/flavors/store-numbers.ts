/** Numbers of flavors, by which records of migrations and notifications of the old format name them. A flavor keeps its number for ever. */
import { sql } from 'kysely'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'

interface FlavorNumberRow {
  number: number
  flavor_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_flavor_numbers: FlavorNumberRow
  }
}

const flavorNumbers = rows<FlavorNumberRow>('compute_flavor_numbers')
/** Of flavors that servers have, by their ids: those got theirs long before, and keep them. */
const remembered = perCloud(() => new Map<string, number>())
const most = 10_000

/** Gives each flavor a number. */
export async function numberFlavors(ctx: Ctx, ids: readonly string[]): Promise<void> {
  // In one order everywhere, so that no two wait for each other.
  for (const id of [...new Set(ids)].sort()) {
    await sql`insert into compute_flavor_numbers (flavor_id) values (${id}) on conflict (flavor_id) do nothing`.execute(
      ctx.db,
    )
  }
}

/** Numbers of flavors by their ids. */
export async function numbersOfFlavors(ctx: Ctx, ids: readonly string[]): Promise<Map<string, number>> {
  const numbers = await flavorNumbers.list(ctx.db, { flavor_id: [...new Set(ids)] })
  return new Map(numbers.map(row => [row.flavor_id, row.number]))
}

/** The number of a flavor that servers have; null of one that was deleted before flavors had numbers. */
export async function numberOfFlavor(ctx: Ctx, id: string): Promise<number | null> {
  const known = remembered(ctx)
  const before = known.get(id)
  if (before !== undefined) return before
  const number = (await numbersOfFlavors(ctx, [id])).get(id)
  if (number === undefined) return null
  if (known.size >= most) known.clear()
  known.set(id, number)
  return number
}
