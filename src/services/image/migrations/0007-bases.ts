/** Images that hold only what changed since another. */
import type { Migration } from '#kernel/db/migrate.ts'

export const bases: Migration = {
  name: '0007-bases',
  async up(db) {
    await db.schema.alterTable('image_images').addColumn('base_image_id', 'text').execute()
    await db.schema.createIndex('image_images_base').on('image_images').column('base_image_id').execute()
  },
}
