/** The software that servers are to have, and what came of it. */
import type { Migration } from '#kernel/db/migrate.ts'

export const software: Migration = {
  name: '0020-software',
  async up(db) {
    await db.schema
      .createTable('compute_server_software')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('driver', 'text', c => c.notNull())
      .addColumn('manifest', 'text')
      .addColumn('manifest_sha256', 'text')
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('run', 'text')
      .addColumn('message', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_server_software_status')
      .on('compute_server_software')
      .column('status')
      .execute()
    await db.schema
      .createTable('compute_server_packages')
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('wanted', 'integer', c => c.notNull())
      .addColumn('wanted_version', 'text')
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('version', 'text')
      .addColumn('message', 'text')
      .addColumn('updated_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_server_packages_key', ['server_id', 'name'])
      .execute()
  },
}
