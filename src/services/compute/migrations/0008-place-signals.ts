/** What outside sources say of racks, rows and other places. */
import type { Migration } from '#kernel/db/migrate.ts'

export const placeSignalsTable: Migration = {
  name: '0008-place-signals',
  async up(db) {
    await db.schema
      .createTable('compute_place_signals')
      .addColumn('level', 'text', c => c.notNull())
      .addColumn('place', 'text', c => c.notNull())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('value', 'text', c => c.notNull())
      .addColumn('reported_at', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_place_signals_key', ['level', 'place', 'name'])
      .execute()
  },
}
