/** Whom other clouds were told of: how many logins a user has there, and which of them are over. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `alter table identity_told_sessions add column user_id text not null default ''`,
  `create index if not exists identity_told_sessions_of on identity_told_sessions (user_id, service_provider_id)`,
  `create index if not exists identity_told_sessions_end on identity_told_sessions (expires_at)`,
]

export const toldSessions: Migration = {
  name: '0015-told-sessions',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
