/** What guests have of hosts beyond amounts: cells, CPUs and devices, each in one guest's hands. */
import type { Migration } from '#kernel/db/migrate.ts'

export const rooms: Migration = {
  name: '0009-rooms',
  async up(db) {
    await db.schema
      .createTable('compute_guest_cells')
      .addColumn('consumer', 'text', c => c.notNull())
      .addColumn('cell', 'integer', c => c.notNull())
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('host_cell', 'integer', c => c.notNull())
      .addColumn('memory_mb', 'integer', c => c.notNull())
      .addColumn('page_kb', 'integer')
      .addColumn('shared_vcpus', 'integer', c => c.notNull())
      .addColumn('threads', 'integer', c => c.notNull())
      .addPrimaryKeyConstraint('compute_guest_cells_key', ['consumer', 'cell'])
      .execute()
    await db.schema.createIndex('compute_guest_cells_host').on('compute_guest_cells').column('host').execute()
    // Without a vCPU it is for what goes on beside them.
    await db.schema
      .createTable('compute_pinned_cpus')
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('cpu', 'integer', c => c.notNull())
      .addColumn('consumer', 'text', c => c.notNull())
      .addColumn('cell', 'integer', c => c.notNull())
      .addColumn('vcpu', 'integer')
      .addPrimaryKeyConstraint('compute_pinned_cpus_key', ['host', 'cpu'])
      .execute()
    await db.schema.createIndex('compute_pinned_cpus_consumer').on('compute_pinned_cpus').column('consumer').execute()
    await db.schema
      .createTable('compute_claimed_devices')
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('address', 'text', c => c.notNull())
      .addColumn('consumer', 'text', c => c.notNull())
      .addColumn('alias', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_claimed_devices_key', ['host', 'address'])
      .execute()
    await db.schema
      .createIndex('compute_claimed_devices_consumer')
      .on('compute_claimed_devices')
      .column('consumer')
      .execute()
  },
}
