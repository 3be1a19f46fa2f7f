/** Codes that were sent to users as a factor. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_factor_codes (
    user_id text not null, factor text not null, code_hash text not null, sent_at bigint not null,
    expires_at bigint not null, attempts_left integer not null, primary key (user_id, factor))`,
]

export const factorCodes: Migration = {
  name: '0012-factor-codes',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
