/** What is to be done in guests as soon as they run. */
import type { Migration } from '#kernel/db/migrate.ts'

export const guestWorks: Migration = {
  name: '0022-guest-works',
  async up(db) {
    await db.schema
      .createTable('compute_guest_works')
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('work', 'text', c => c.notNull())
      .addColumn('status', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_guest_works_key', ['server_id', 'work'])
      .execute()
    await db.schema.createIndex('compute_guest_works_status').on('compute_guest_works').column('status').execute()
  },
}
