/** A user may be known to several identity providers. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `drop index if exists identity_federated_users_user`,
  `create index if not exists identity_federated_users_of on identity_federated_users (user_id)`,
]

export const severalFederated: Migration = {
  name: '0013-several-federated',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
