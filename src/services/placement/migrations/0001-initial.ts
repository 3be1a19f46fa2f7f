/** Placement's tables. `used` and `capacity` are kept beside each inventory, so that a claim is a comparison with one row. */
import type { Migration } from '#kernel/db/migrate.ts'

export const initial: Migration = {
  name: '0001-initial',
  async up(db) {
    await db.schema
      .createTable('placement_providers')
      .addColumn('uuid', 'text', c => c.primaryKey())
      .addColumn('name', 'text', c => c.notNull().unique())
      .addColumn('parent_uuid', 'text')
      .addColumn('root_uuid', 'text', c => c.notNull())
      .addColumn('generation', 'integer', c => c.notNull())
      .addColumn('changed', 'bigint', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema.createIndex('placement_providers_changed').on('placement_providers').column('changed').execute()
    await db.schema.createIndex('placement_providers_root').on('placement_providers').column('root_uuid').execute()
    await db.schema
      .createTable('placement_removed_providers')
      .addColumn('uuid', 'text', c => c.primaryKey())
      .addColumn('changed', 'bigint', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('placement_removed_providers_changed')
      .on('placement_removed_providers')
      .column('changed')
      .execute()
    await db.schema
      .createTable('placement_inventories')
      .addColumn('provider', 'text', c => c.notNull())
      .addColumn('resource_class', 'text', c => c.notNull())
      .addColumn('total', 'bigint', c => c.notNull())
      .addColumn('reserved', 'bigint', c => c.notNull())
      .addColumn('min_unit', 'bigint', c => c.notNull())
      .addColumn('max_unit', 'bigint', c => c.notNull())
      .addColumn('step_size', 'bigint', c => c.notNull())
      .addColumn('allocation_ratio', 'double precision', c => c.notNull())
      .addColumn('capacity', 'bigint', c => c.notNull())
      .addColumn('used', 'bigint', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('placement_inventories_pk', ['provider', 'resource_class'])
      .execute()
    await db.schema
      .createIndex('placement_inventories_class')
      .on('placement_inventories')
      .column('resource_class')
      .execute()
    await db.schema
      .createTable('placement_provider_traits')
      .addColumn('provider', 'text', c => c.notNull())
      .addColumn('trait', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('placement_provider_traits_pk', ['provider', 'trait'])
      .execute()
    await db.schema
      .createIndex('placement_provider_traits_trait')
      .on('placement_provider_traits')
      .column('trait')
      .execute()
    await db.schema
      .createTable('placement_provider_aggregates')
      .addColumn('provider', 'text', c => c.notNull())
      .addColumn('aggregate', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('placement_provider_aggregates_pk', ['provider', 'aggregate'])
      .execute()
    for (const table of ['placement_traits', 'placement_resource_classes']) {
      await db.schema
        .createTable(table)
        .addColumn('name', 'text', c => c.primaryKey())
        .addColumn('created_at', 'text', c => c.notNull())
        .execute()
    }
    await db.schema
      .createTable('placement_consumers')
      .addColumn('uuid', 'text', c => c.primaryKey())
      .addColumn('project_id', 'text', c => c.notNull())
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('type', 'text')
      .addColumn('generation', 'integer', c => c.notNull())
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('placement_consumers_project')
      .on('placement_consumers')
      .columns(['project_id', 'user_id'])
      .execute()
    await db.schema
      .createTable('placement_allocations')
      .addColumn('consumer', 'text', c => c.notNull())
      .addColumn('provider', 'text', c => c.notNull())
      .addColumn('resource_class', 'text', c => c.notNull())
      .addColumn('used', 'bigint', c => c.notNull())
      .addPrimaryKeyConstraint('placement_allocations_pk', ['consumer', 'provider', 'resource_class'])
      .execute()
    await db.schema
      .createIndex('placement_allocations_provider')
      .on('placement_allocations')
      .columns(['provider', 'resource_class'])
      .execute()
  },
}
