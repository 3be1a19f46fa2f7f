/** What daemons outside of the cloud say of hosts. */
import type { Migration } from '#kernel/db/migrate.ts'

export const hostSignalsTable: Migration = {
  name: '0006-host-signals',
  async up(db) {
    await db.schema
      .createTable('compute_host_signals')
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('value', 'text', c => c.notNull())
      .addColumn('reported_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_host_signals_key', ['host', 'name'])
      .execute()
  },
}
