/** Which revision of the desired state each host should have; and routers found by their host. */
import type { Migration } from '#kernel/db/migrate.ts'

export const hostRevisions: Migration = {
  name: '0002-host-revisions',
  async up(db) {
    await db.schema
      .alterTable('network_hosts')
      .addColumn('wanted_revision', 'bigint', c => c.notNull().defaultTo(0))
      .execute()
    await db.schema.createIndex('network_routers_by_host').on('network_routers').columns(['host']).execute()
  },
}
