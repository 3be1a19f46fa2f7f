/** What is known of the files in watched folders. */
import type { Migration } from '#kernel/db/migrate.ts'

export const watched: Migration = {
  name: '0005-watched',
  async up(db) {
    await db.schema
      .createTable('image_watched')
      .ifNotExists()
      .addColumn('store', 'text', c => c.notNull())
      .addColumn('file', 'text', c => c.notNull())
      .addColumn('size', 'bigint', c => c.notNull())
      .addColumn('changed', 'text', c => c.notNull())
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('image_id', 'text')
      .addPrimaryKeyConstraint('image_watched_pk', ['store', 'file'])
      .execute()
  },
}
