/** Numbers of flavors, which records of migrations name them by. */
import type { Migration } from '#kernel/db/migrate.ts'

export const flavorNumbers: Migration = {
  name: '0013-flavor-numbers',
  async up(db, engine) {
    await db.schema
      .createTable('compute_flavor_numbers')
      .addColumn('number', engine === 'postgres' ? 'serial' : 'integer', c =>
        engine === 'postgres' ? c.primaryKey() : c.primaryKey().autoIncrement(),
      )
      .addColumn('flavor_id', 'text', c => c.notNull().unique())
      .execute()
  },
}
