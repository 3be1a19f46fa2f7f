/** What was revoked, as services that check tokens themselves ask for it. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_revocation_events (
    id text primary key, at bigint not null, event text not null)`,
  `create index if not exists identity_revocation_events_at on identity_revocation_events (at)`,
]

export const revocationEvents: Migration = {
  name: '0010-revocation-events',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
