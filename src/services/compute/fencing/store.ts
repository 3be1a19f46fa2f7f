/** Fencings in the database. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { FencingRow } from './fencing.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_fencings: FencingRow
  }
}

export const fencings = rows<FencingRow>('compute_fencings')

export const newest = {
  orderBy: [
    { column: 'created_at' as const, direction: 'desc' as const },
    { column: 'id' as const, direction: 'desc' as const },
  ],
}

export async function lastFencing(ctx: Ctx, host: string): Promise<FencingRow | undefined> {
  return (await fencings.list(ctx.db, { host }, { ...newest, limit: 1 }))[0]
}
