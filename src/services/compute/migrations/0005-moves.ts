/** Migrations of servers between hosts and flavors; what brings a server back that was put away. */
import type { Migration } from '#kernel/db/migrate.ts'

export const moves: Migration = {
  name: '0005-moves',
  async up(db, engine) {
    await db.schema.alterTable('compute_servers').addColumn('recovery', 'text').execute()
    // Servers in soft deletion do not count, so the index of usages has to know them.
    await db.schema.dropIndex('compute_servers_usage').execute()
    await db.schema
      .createIndex('compute_servers_usage')
      .on('compute_servers')
      .columns(['project_id', 'vm_state', 'vcpus', 'memory_mb'])
      .execute()
    await db.schema
      .createTable('compute_migrations')
      .addColumn('id', engine === 'postgres' ? 'serial' : 'integer', c =>
        engine === 'postgres' ? c.primaryKey() : c.primaryKey().autoIncrement(),
      )
      .addColumn('uuid', 'text', c => c.notNull().unique())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('project_id', 'text', c => c.notNull())
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('type', 'text', c => c.notNull())
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('source_host', 'text', c => c.notNull())
      .addColumn('source_node', 'text')
      .addColumn('dest_host', 'text')
      .addColumn('dest_node', 'text')
      .addColumn('dest_address', 'text')
      .addColumn('old_zone', 'text')
      .addColumn('old_flavor', 'text', c => c.notNull())
      .addColumn('new_flavor', 'text', c => c.notNull())
      .addColumn('old_vm_state', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema.createIndex('compute_migrations_server').on('compute_migrations').column('server_id').execute()
    await db.schema
      .createIndex('compute_migrations_created')
      .on('compute_migrations')
      .columns(['created_at', 'id'])
      .execute()
    await db.schema.createIndex('compute_migrations_status').on('compute_migrations').column('status').execute()
  },
}
