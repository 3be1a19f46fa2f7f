/** The tables of images. */
import type { Migration } from '#kernel/db/migrate.ts'

export const initial: Migration = {
  name: '0001-initial',
  async up(db) {
    await db.schema
      .createTable('image_images')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('name', 'text')
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('visibility', 'text', c => c.notNull())
      .addColumn('owner', 'text')
      .addColumn('disk_format', 'text')
      .addColumn('container_format', 'text')
      .addColumn('min_disk', 'integer', c => c.notNull())
      .addColumn('min_ram', 'integer', c => c.notNull())
      .addColumn('protected', 'integer', c => c.notNull())
      .addColumn('os_hidden', 'integer', c => c.notNull())
      .addColumn('checksum', 'text')
      .addColumn('os_hash_algo', 'text')
      .addColumn('os_hash_value', 'text')
      .addColumn('size', 'bigint')
      .addColumn('virtual_size', 'bigint')
      .addColumn('blob', 'text')
      .addColumn('alive_at', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema.createIndex('image_images_owner').on('image_images').columns(['owner', 'created_at']).execute()
    await db.schema
      .createIndex('image_images_visibility')
      .on('image_images')
      .columns(['visibility', 'created_at'])
      .execute()
    await db.schema
      .createTable('image_custom_properties')
      .addColumn('image_id', 'text', c => c.notNull())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('value', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('image_custom_properties_pk', ['image_id', 'name'])
      .execute()
    await db.schema.createIndex('image_custom_properties_name').on('image_custom_properties').column('name').execute()
    await db.schema
      .createTable('image_tags')
      .addColumn('image_id', 'text', c => c.notNull())
      .addColumn('tag', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('image_tags_pk', ['image_id', 'tag'])
      .execute()
    await db.schema.createIndex('image_tags_tag').on('image_tags').column('tag').execute()
    await db.schema
      .createTable('image_members')
      .addColumn('image_id', 'text', c => c.notNull())
      .addColumn('member_id', 'text', c => c.notNull())
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('image_members_pk', ['image_id', 'member_id'])
      .execute()
    await db.schema.createIndex('image_members_member').on('image_members').column('member_id').execute()
  },
}
