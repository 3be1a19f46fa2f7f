/** What users have used of their allowance for downloads. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface TransferRow {
  user_id: string
  /** Until when downloads have used up the allowance; milliseconds since the epoch. */
  used_until: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_transfers: TransferRow
  }
}

export const transfers = rows<TransferRow>('image_transfers')

/** Adds a cost to what the user has used; false, and not added, when that reaches further ahead than `spanMs`. */
export async function useAllowance(
  db: Db,
  user_id: string,
  { now, cost, spanMs }: { now: number; cost: number; spanMs: number },
): Promise<boolean> {
  const taken = await sql`
    insert into image_transfers (user_id, used_until) values (${user_id}, ${now + cost})
    on conflict (user_id) do update
    set used_until = case when image_transfers.used_until > ${now} then image_transfers.used_until else ${now} end + ${cost}
    where image_transfers.used_until < ${now + spanMs}
    returning used_until`.execute(db)
  return taken.rows.length > 0
}
