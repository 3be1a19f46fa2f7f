/** What users have used of their allowance for downloads. */
import type { Migration } from '#kernel/db/migrate.ts'

export const transfers: Migration = {
  name: '0004-transfers',
  async up(db) {
    await db.schema
      .createTable('image_transfers')
      .ifNotExists()
      .addColumn('user_id', 'text', c => c.primaryKey())
      .addColumn('used_until', 'bigint', c => c.notNull())
      .execute()
  },
}
