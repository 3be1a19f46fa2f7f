/** A row that failed logins of unknown users write to, so that they take as long as those of known ones. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

export const unknownLogins: Migration = {
  name: '0002-unknown-logins',
  async up(db) {
    await sql`create table if not exists identity_unknown_logins (id integer primary key, failures bigint not null)`.execute(
      db,
    )
    await sql`insert into identity_unknown_logins (id, failures) values (1, 0) on conflict do nothing`.execute(db)
  },
}
