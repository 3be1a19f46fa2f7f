/** Which hosts' usage was audited, in which periods. */
import type { Migration } from '#kernel/db/migrate.ts'

export const usageAudits: Migration = {
  name: '0004-usage-audits',
  async up(db) {
    await db.schema
      .createTable('compute_usage_audits')
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('period_beginning', 'text', c => c.notNull())
      .addColumn('period_ending', 'text', c => c.notNull())
      .addColumn('instances', 'integer', c => c.notNull())
      .addColumn('errors', 'integer', c => c.notNull())
      .addColumn('message', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_usage_audits_pk', ['host', 'period_beginning', 'period_ending'])
      .execute()
  },
}
