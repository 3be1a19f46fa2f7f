/** The password that a guest reports, encrypted for its owner; several consoles of a server may be open at once. */
import type { Migration } from '#kernel/db/migrate.ts'

export const guestPasswordsAndConsoles: Migration = {
  name: '0003-guest-passwords-and-consoles',
  async up(db) {
    await db.schema.alterTable('compute_server_guest_data').addColumn('encrypted_password', 'text').execute()
    // Tokens live for minutes: none is worth keeping.
    await db.schema.dropTable('compute_console_tokens').execute()
    await db.schema
      .createTable('compute_console_tokens')
      .addColumn('token_hash', 'text', c => c.primaryKey())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('console_type', 'text', c => c.notNull())
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('origin', 'text', c => c.notNull())
      .addColumn('expires_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_console_tokens_expiry')
      .on('compute_console_tokens')
      .column('expires_at')
      .execute()
  },
}
