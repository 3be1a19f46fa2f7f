/** What revokes tokens: the generation of identity, single tokens, and users' rights in a scope. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { run, statement } from '#kernel/db/statement.ts'

interface GenerationRow {
  id: number
  value: number
}

export interface RevokedToken {
  audit_id: string
  /** When it would have ended anyway; milliseconds. */
  expires_at: number
}

/** Tokens of the user for the scope are good only if their generation is at least `tokens_after`. */
export interface RevokedScope {
  user_id: string
  /** As `scopeKey` writes it. */
  scope: string
  tokens_after: number
  at: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_generation: GenerationRow
    identity_revoked_tokens: RevokedToken
    identity_revoked_scopes: RevokedScope
  }
}

export const revokedTokens = rows<RevokedToken>('identity_revoked_tokens')
export const revokedScopes = rows<RevokedScope>('identity_revoked_scopes')

export async function currentGeneration(db: Db): Promise<number> {
  const found = await run<GenerationRow>(db, statement(db, 'select value from identity_generation'))
  return found.rows[0]!.value
}

/** The next generation; whoever else wants one waits until this transaction ends, so they come in the order of commits. */
export async function nextGeneration(db: Db): Promise<number> {
  const row = await db
    .updateTable('identity_generation')
    .set({ value: sql`value + 1` })
    .returning('value')
    .executeTakeFirstOrThrow()
  return row.value
}

export async function putRevokedScope(db: Db, row: RevokedScope): Promise<void> {
  await db
    .insertInto('identity_revoked_scopes')
    .values(row)
    .onConflict(c => c.columns(['user_id', 'scope']).doUpdateSet({ tokens_after: row.tokens_after, at: row.at }))
    .execute()
}
