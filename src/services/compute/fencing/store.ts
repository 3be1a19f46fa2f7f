/** Fencings in the database. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { newestFirst } from '../dialect.ts'
import type { FencingRow } from './fencing.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_fencings: FencingRow
  }
}

export const fencings = rows<FencingRow>('compute_fencings')

/** Those that ended before then go, but for the last of each host: it may be why the host counts as off. */
export async function forgetFencings(ctx: Ctx, before: string): Promise<void> {
  await sql`delete from compute_fencings where ended_at < ${before} and exists (
    select 1 from compute_fencings as later where later.host = compute_fencings.host
      and (later.created_at, later.id) > (compute_fencings.created_at, compute_fencings.id))`.execute(ctx.db)
}

export async function lastFencing(ctx: Ctx, host: string): Promise<FencingRow | undefined> {
  return (await fencings.list(ctx.db, { host }, { ...newestFirst, limit: 1 }))[0]
}
