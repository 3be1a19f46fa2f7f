/** Trusts: what one user lets another do in its place. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_trusts (
    id text primary key, trustor_user_id text not null, trustee_user_id text not null, project_id text,
    impersonation integer not null, expires_at bigint, remaining_uses integer, redelegated_trust_id text,
    redelegation_count integer not null, role_ids text not null, extra text not null)`,
  `create unique index if not exists identity_trusts_same on identity_trusts
    (trustor_user_id, trustee_user_id, project_id, impersonation, expires_at)`,
  `create index if not exists identity_trusts_trustee on identity_trusts (trustee_user_id)`,
  `create index if not exists identity_trusts_chain on identity_trusts (redelegated_trust_id)`,
]

export const trustTables: Migration = {
  name: '0003-trusts',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
