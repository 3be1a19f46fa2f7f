/** When passwords end, which were used before, and when users were last seen. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `alter table identity_users add column password_expires_at bigint`,
  `alter table identity_users add column password_self_set integer not null default 0`,
  `alter table identity_users add column last_active_at bigint`,
  `create table if not exists identity_former_passwords (
    user_id text not null, generation bigint not null, password_hash text not null, primary key (user_id, generation))`,
]

export const passwordRules: Migration = {
  name: '0007-password-rules',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
