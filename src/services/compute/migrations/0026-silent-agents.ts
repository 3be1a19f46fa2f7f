/** Agents in guests that did not answer: since when, and when they are asked again. */
import type { Migration } from '#kernel/db/migrate.ts'

export const silentAgents: Migration = {
  name: '0026-silent-agents',
  async up(db) {
    for (const table of ['compute_guest_works', 'compute_server_software']) {
      await db.schema
        .alterTable(table)
        .addColumn('silences', 'integer', c => c.notNull().defaultTo(0))
        .execute()
      for (const column of ['silent_at', 'ask_at'])
        await db.schema.alterTable(table).addColumn(column, 'text').execute()
    }
  },
}
