/** Trusts. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface TrustRow {
  id: string
  trustor_user_id: string
  trustee_user_id: string
  project_id: string | null
  /** Whether tokens say that their bearer is the trustor. */
  impersonation: boolean
  /** Milliseconds; null: never. */
  expires_at: number | null
  /** Tokens that may still be had by it; null: any number. */
  remaining_uses: number | null
  /** The trust that this one passes on. */
  redelegated_trust_id: string | null
  /** How many more times it may be passed on. */
  redelegation_count: number
  role_ids: string[]
  extra: Record<string, unknown>
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_trusts: TrustRow
  }
}

export const trusts = rows<TrustRow>('identity_trusts', { json: ['role_ids', 'extra'], bool: ['impersonation'] })

/** Takes one of the uses that are left; false when none is. Of two at once, only one gets the last. */
export async function consumeUse(db: Db, id: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update identity_trusts set remaining_uses = remaining_uses - 1
    where id = ${id} and (remaining_uses is null or remaining_uses > 0)
  `.execute(db)
  return numAffectedRows === 1n
}
