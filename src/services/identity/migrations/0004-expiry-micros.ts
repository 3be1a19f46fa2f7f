/** Ends of application credentials are shown as exactly as they were asked for. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

export const expiryMicros: Migration = {
  name: '0004-expiry-micros',
  async up(db) {
    await sql`alter table identity_application_credentials add column expires_micros integer not null default 0`.execute(
      db,
    )
  },
}
