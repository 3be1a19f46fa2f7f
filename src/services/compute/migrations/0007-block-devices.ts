/** Disks of servers that were asked for one by one: volumes, and local disks that are not as the flavor has them. */
import type { Migration } from '#kernel/db/migrate.ts'

export const blockDevices: Migration = {
  name: '0007-block-devices',
  async up(db) {
    await db.schema
      .createTable('compute_block_devices')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('position', 'integer', c => c.notNull())
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('source_type', 'text', c => c.notNull())
      .addColumn('source_id', 'text')
      .addColumn('volume_id', 'text')
      .addColumn('attachment_id', 'text')
      .addColumn('boot_index', 'integer', c => c.notNull())
      .addColumn('device_name', 'text')
      .addColumn('disk_bus', 'text')
      .addColumn('size', 'integer')
      .addColumn('delete_on_termination', 'integer', c => c.notNull())
      .addColumn('tag', 'text')
      .execute()
    // A server has a volume once.
    await db.schema
      .createIndex('compute_block_devices_volume')
      .unique()
      .on('compute_block_devices')
      .columns(['server_id', 'volume_id'])
      .execute()
    await db.schema
      .createIndex('compute_block_devices_of_volume')
      .on('compute_block_devices')
      .column('volume_id')
      .execute()
  },
}
