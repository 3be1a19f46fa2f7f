/** Servers that have no cell yet, and what is to be done for them once they get a host: their build requests. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

export const buildRequestsTable: Migration = {
  name: '0023-build-requests',
  async up(db, engine) {
    if (engine === 'postgres')
      await sql`alter table compute_server_mappings alter column cell drop not null`.execute(db)
    else {
      // SQLite takes no constraint from a column.
      await db.schema
        .createTable('compute_new_server_mappings')
        .addColumn('server_id', 'text', c => c.primaryKey())
        .addColumn('cell', 'text')
        .addColumn('project_id', 'text', c => c.notNull())
        .execute()
      await sql`insert into compute_new_server_mappings (server_id, cell, project_id)
        select server_id, cell, project_id from compute_server_mappings`.execute(db)
      await db.schema.dropTable('compute_server_mappings').execute()
      await db.schema.alterTable('compute_new_server_mappings').renameTo('compute_server_mappings').execute()
    }
    await db.schema
      .createTable('compute_build_requests')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('networks', 'text', c => c.notNull())
      .addColumn('security_groups', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .execute()
  },
}
