/** The index of lists knows names and states, so that a list of few among many reads no rows of the others. */
import type { Migration } from '#kernel/db/migrate.ts'

export const listIndex: Migration = {
  name: '0019-list-index',
  async up(db) {
    await db.schema.dropIndex('compute_servers_list').execute()
    await db.schema
      .createIndex('compute_servers_list')
      .on('compute_servers')
      .columns(['project_id', 'created_at', 'id', 'vm_state', 'display_name'])
      .execute()
  },
}
