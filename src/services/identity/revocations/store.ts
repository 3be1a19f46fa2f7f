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

/** What tokens an event ends: those that have all of this. */
export interface Revoked {
  user_id?: string
  project_id?: string
  /** Of users and of projects. */
  domain_id?: string
  /** Of the token's scope. */
  domain_scope_id?: string
  audit_id?: string
  audit_chain_id?: string
  /** Upstream has no word for it: there such tokens stay good to those who do not ask. */
  application_credential_id?: string
  'OS-TRUST:trust_id'?: string
  'OS-OAUTH1:access_token_id'?: string
  expires_at?: string
}

export interface RevocationEvent {
  id: string
  /** Tokens of before are meant; milliseconds. */
  at: number
  event: Revoked
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_generation: GenerationRow
    identity_revoked_tokens: RevokedToken
    identity_revoked_scopes: RevokedScope
    identity_revocation_events: RevocationEvent
  }
}

export const revokedTokens = rows<RevokedToken>('identity_revoked_tokens')
export const revokedScopes = rows<RevokedScope>('identity_revoked_scopes')
export const revocationEvents = rows<RevocationEvent>('identity_revocation_events', { json: ['event'] })

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
