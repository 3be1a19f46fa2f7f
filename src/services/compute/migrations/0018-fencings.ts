/** How failed hosts were made sure to be off. */
import type { Migration } from '#kernel/db/migrate.ts'

export const fencings: Migration = {
  name: '0018-fencings',
  async up(db) {
    await db.schema
      .createTable('compute_fencings')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('host_seen', 'text', c => c.notNull())
      .addColumn('result', 'text')
      .addColumn('output', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('ended_at', 'text')
      .execute()
    await db.schema
      .createIndex('compute_fencings_host')
      .on('compute_fencings')
      .columns(['host', 'created_at'])
      .execute()
  },
}
