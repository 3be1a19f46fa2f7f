/** Webhooks: who is sent events, and how far they have come. */
import type { Migration } from '#kernel/db/migrate.ts'

export const webhooks: Migration = {
  name: '0001-webhooks',
  async up(db) {
    await db.schema
      .createTable('event_webhooks')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('url', 'text', c => c.notNull())
      .addColumn('topic', 'text', c => c.notNull())
      .addColumn('secret', 'text')
      .addColumn('types', 'text', c => c.notNull())
      .addColumn('format', 'text', c => c.notNull())
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('tx', 'bigint', c => c.notNull())
      .addColumn('seq', 'bigint', c => c.notNull())
      .addColumn('failures', 'integer', c => c.notNull())
      .addColumn('failing_since', 'text')
      .addColumn('next_attempt_at', 'text', c => c.notNull())
      .addColumn('last_error', 'text')
      .addColumn('expires_at', 'text')
      .addColumn('created_at', 'text', c => c.notNull())
      .addUniqueConstraint('event_webhooks_once', ['url', 'topic'])
      .execute()
  },
}
