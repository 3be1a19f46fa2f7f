/** What is done to all servers of a host: moved away, suspended, resumed. */
import type { Migration } from '#kernel/db/migrate.ts'

export const maintenances: Migration = {
  name: '0014-maintenances',
  async up(db) {
    await db.schema
      .createTable('compute_maintenances')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('host', 'text')
      .addColumn('live', 'text', c => c.notNull())
      .addColumn('together', 'integer', c => c.notNull())
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('problem', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('ended_at', 'text')
      .execute()
    await db.schema
      .createIndex('compute_maintenances_host')
      .on('compute_maintenances')
      .columns(['host', 'created_at'])
      .execute()
    await db.schema
      .createTable('compute_maintenance_servers')
      .addColumn('maintenance_id', 'text', c => c.notNull())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('position', 'integer', c => c.notNull())
      .addColumn('from_host', 'text', c => c.notNull())
      .addColumn('to_host', 'text')
      .addColumn('act', 'text')
      .addColumn('move', 'text')
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('reason', 'text')
      .addColumn('since', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_maintenance_servers_key', ['maintenance_id', 'server_id'])
      .execute()
  },
}
