/** How a webhook begins: checked, counted, and from the end of the log on. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { BadRequest, OverQuota } from '#kernel/errors.ts'
import { beginning } from '#kernel/events/events.ts'
import { allowedUrl, NotAllowed, type Outside } from '#kernel/http/outside.ts'
import { eventConfig } from '../config.ts'
import { webhooks } from './store.ts'
import type { WebhookRow } from './webhook.ts'

export const deliveriesId = 'event.deliveries'

export function outsideOf(ctx: Ctx): Outside {
  const { webhook_schemes, webhook_ports, webhook_networks } = ctx.config.of(eventConfig)
  return { schemes: webhook_schemes, ports: webhook_ports, networks: webhook_networks }
}

type Asked = Pick<WebhookRow, 'url' | 'topic' | 'secret' | 'types' | 'format' | 'state' | 'expires_at'>

/** A subscription that is there already begins anew. */
export async function addWebhook(ctx: Ctx, asked: Asked): Promise<WebhookRow> {
  checkUrl(ctx, asked.url)
  const made = await ctx.transaction(async tx => {
    await lock(tx.db, tx.database.engine, 'event webhooks')
    await webhooks.remove(tx.db, { url: asked.url, topic: asked.topic })
    if ((await webhooks.count(tx.db)) >= tx.config.of(eventConfig).most_webhooks)
      throw new OverQuota('There are as many webhooks as this cloud allows: delete one that is not needed.')
    const { tx: transaction, seq } = (await tx.events.before(tx, undefined, { limit: 1 }))[0] ?? beginning
    const now = new Date(tx.clock.now()).toISOString()
    const row: WebhookRow = {
      ...asked,
      id: tx.ids.uuid(),
      user_id: tx.identity.user_id,
      tx: transaction,
      seq,
      failures: 0,
      failing_since: null,
      next_attempt_at: now,
      last_error: null,
      created_at: now,
    }
    await webhooks.insert(tx.db, row)
    return row
  })
  ctx.signal(deliveriesId)
  return made
}

function checkUrl(ctx: Ctx, url: string): void {
  try {
    allowedUrl(outsideOf(ctx), url)
  } catch (error) {
    if (error instanceof NotAllowed)
      throw new BadRequest('Webhooks may not lead to this address: see webhook_networks in the configuration.')
    throw error
  }
}
