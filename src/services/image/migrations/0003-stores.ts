/** Which stores hold the bytes of an image; tasks; what waits for deletion; what is cached. */
import type { Migration } from '#kernel/db/migrate.ts'

export const stores: Migration = {
  name: '0003-stores',
  async up(db) {
    await db.schema
      .createTable('image_locations')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('image_id', 'text', c => c.notNull())
      .addColumn('store', 'text', c => c.notNull())
      .addColumn('url', 'text')
      .addColumn('metadata', 'text', c => c.notNull())
      .addColumn('position', 'integer', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .execute()
    await db.schema.createIndex('image_locations_image').on('image_locations').column('image_id').execute()
    const stored = await db
      .selectFrom('image_images')
      .select(['id', 'created_at'])
      .where('status', 'in', ['active', 'deactivated'])
      .where('blob', 'is not', null)
      .execute()
    for (const { id, created_at } of stored) {
      const row = { id, image_id: id, store: 'file', url: null, metadata: '{}', position: 0, created_at }
      await db.insertInto('image_locations').values(row).execute()
    }
    await db.schema
      .createTable('image_scrubs')
      .addColumn('blob', 'text', c => c.notNull())
      .addColumn('store', 'text', c => c.notNull())
      .addColumn('due_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('image_scrubs_pk', ['blob', 'store'])
      .execute()
    await db.schema
      .createTable('image_tasks')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('type', 'text', c => c.notNull())
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('owner', 'text')
      .addColumn('image_id', 'text')
      .addColumn('input', 'text', c => c.notNull())
      .addColumn('result', 'text')
      .addColumn('message', 'text', c => c.notNull())
      .addColumn('request_id', 'text', c => c.notNull())
      .addColumn('user_id', 'text')
      .addColumn('expires_at', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema.createIndex('image_tasks_image').on('image_tasks').column('image_id').execute()
    await db.schema.createIndex('image_tasks_owner').on('image_tasks').columns(['owner', 'created_at']).execute()
    await db.schema.createIndex('image_tasks_expiry').on('image_tasks').column('expires_at').execute()
    await db.schema
      .createTable('image_cached')
      .addColumn('node', 'text', c => c.notNull())
      .addColumn('image_id', 'text', c => c.notNull())
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('blob', 'text')
      .addColumn('size', 'bigint', c => c.notNull())
      .addColumn('hits', 'integer', c => c.notNull())
      .addColumn('last_accessed', 'text', c => c.notNull())
      .addColumn('last_modified', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('image_cached_pk', ['node', 'image_id'])
      .execute()
  },
}
