/** Bundles of servers, the links between them, and where the ends of links are. */
import type { Migration } from '#kernel/db/migrate.ts'

export const bundlesAndLinks: Migration = {
  name: '0021-bundles',
  async up(db) {
    await db.schema
      .createTable('compute_bundles')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('project_id', 'text', c => c.notNull())
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('reservation_id', 'text', c => c.notNull())
      .addColumn('servers', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_links')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('bundle_id', 'text', c => c.notNull())
      .addColumn('server_a', 'text', c => c.notNull())
      .addColumn('server_b', 'text', c => c.notNull())
      .addColumn('max_hops', 'integer')
      .addColumn('bandwidth', 'integer', c => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_link_ends')
      .addColumn('link_id', 'text', c => c.notNull())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('consumer', 'text', c => c.notNull())
      .addColumn('host', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_link_ends_pk', ['link_id', 'consumer'])
      .execute()
    const index = (name: string, table: string, columns: string[]) =>
      db.schema.createIndex(name).on(table).columns(columns).execute()
    await index('compute_bundles_reservation', 'compute_bundles', ['reservation_id'])
    await index('compute_bundles_project', 'compute_bundles', ['project_id', 'created_at'])
    await index('compute_links_bundle', 'compute_links', ['bundle_id'])
    await index('compute_link_ends_consumer', 'compute_link_ends', ['consumer'])
  },
}
