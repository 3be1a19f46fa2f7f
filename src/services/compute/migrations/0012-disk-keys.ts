/** The key of a server's encrypted disks, sealed by the cloud's own. */
import type { Migration } from '#kernel/db/migrate.ts'

export const diskKeys: Migration = {
  name: '0012-disk-keys',
  async up(db) {
    await db.schema.alterTable('compute_server_guest_data').addColumn('disk_key', 'text').execute()
  },
}
