/** What users have used of their rate limits. */
import type { Migration } from '#kernel/db/migrate.ts'

export const rateLimitsTable: Migration = {
  name: '0010-rate-limits',
  async up(db) {
    await db.schema
      .createTable('compute_rate_limits')
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('rate_limit', 'text', c => c.notNull())
      .addColumn('used_until', 'bigint', c => c.notNull())
      .addPrimaryKeyConstraint('compute_rate_limits_key', ['user_id', 'rate_limit'])
      .execute()
  },
}
