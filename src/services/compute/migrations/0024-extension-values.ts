/** What is kept of the attributes of extensions. Rows go with their server, also when the extension is not loaded any more. */
import type { Migration } from '#kernel/db/migrate.ts'

export const extensionValues: Migration = {
  name: '0024-extension-values',
  async up(db) {
    await db.schema
      .createTable('compute_extension_values')
      .addColumn('server_id', 'text', c => c.notNull().references('compute_servers.id').onDelete('cascade'))
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('value', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_extension_values_key', ['server_id', 'name'])
      .execute()
  },
}
