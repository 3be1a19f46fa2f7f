/** What the bytes of images turned out to be. */
import type { Migration } from '#kernel/db/migrate.ts'

export const contents: Migration = {
  name: '0006-contents',
  async up(db) {
    await db.schema.alterTable('image_images').addColumn('found_format', 'text').execute()
    await db.schema.alterTable('image_images').addColumn('unsafe', 'text').execute()
  },
}
