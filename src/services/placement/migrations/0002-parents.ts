/** The providers below one are found without a look at all: each report of a host asks for them. */
import type { Migration } from '#kernel/db/migrate.ts'

export const parentsIndex: Migration = {
  name: '0002-parents',
  async up(db) {
    await db.schema.createIndex('placement_providers_parent').on('placement_providers').column('parent_uuid').execute()
  },
}
