/** Codes that were sent to users and not shown yet. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface FactorCodeRow {
  user_id: string
  factor: string
  /** Empty once it was used. */
  code_hash: string
  /** Milliseconds since the epoch. */
  sent_at: number
  expires_at: number
  attempts_left: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_factor_codes: FactorCodeRow
  }
}

export const factorCodes = rows<FactorCodeRow>('identity_factor_codes')

/** Counts a try of the user's code; false when there is none to try, or too many were. */
export async function takeAttempt(db: Db, key: { user_id: string; factor: string }, now: number): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update identity_factor_codes set attempts_left = attempts_left - 1
    where user_id = ${key.user_id} and factor = ${key.factor} and attempts_left > 0 and expires_at > ${now}
  `.execute(db)
  return Number(numAffectedRows) === 1
}
