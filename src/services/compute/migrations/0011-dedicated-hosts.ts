/** Hosts that one project has for itself, and for how long it had them. */
import type { Migration } from '#kernel/db/migrate.ts'

export const dedicatedHosts: Migration = {
  name: '0011-dedicated-hosts',
  async up(db) {
    await db.schema.alterTable('compute_hosts').addColumn('dedicated_to', 'text').execute()
    await db.schema
      .createTable('compute_dedicated_hosts')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('project_id', 'text', c => c.notNull())
      .addColumn('vcpus', 'integer', c => c.notNull())
      .addColumn('memory_mb', 'integer', c => c.notNull())
      .addColumn('local_gb', 'integer', c => c.notNull())
      .addColumn('started_at', 'text', c => c.notNull())
      .addColumn('ended_at', 'text')
      .execute()
    await db.schema
      .createIndex('compute_dedicated_hosts_ended')
      .on('compute_dedicated_hosts')
      .columns(['ended_at', 'project_id'])
      .execute()
  },
}
