/** Users and groups that are copies of what is in a directory. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_directory_entries (
    id text primary key, domain_id text not null, kind text not null, local_id text not null)`,
  `create index if not exists identity_directory_entries_domain on identity_directory_entries (domain_id, kind)`,
]

export const directories: Migration = {
  name: '0011-directories',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
