/** Webhooks in the database. */
import { rows } from '#kernel/db/rows.ts'
import type { WebhookRow } from './webhook.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    event_webhooks: WebhookRow
  }
}

export const webhooks = rows<WebhookRow>('event_webhooks', { json: ['types'] })
