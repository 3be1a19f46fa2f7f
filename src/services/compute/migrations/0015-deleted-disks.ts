/** Images of the disks of deleted servers, and when they go. */
import type { Migration } from '#kernel/db/migrate.ts'

export const deletedDisks: Migration = {
  name: '0015-deleted-disks',
  async up(db) {
    await db.schema
      .createTable('compute_deleted_disks')
      .addColumn('image_id', 'text', c => c.primaryKey())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('expires_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_deleted_disks_expires')
      .on('compute_deleted_disks')
      .column('expires_at')
      .execute()
  },
}
