/** How much users may download: each byte takes of an allowance that fills up again with time, in the database, so that all processes count together. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { imageConfig } from '../config.ts'
import { transfers, useAllowance } from './store.ts'

const spanMs = 60_000

/** Takes what a download costs. Throws 429 when the user has used up the allowance; a big image may use up more than there is, and is waited for after it. */
export async function takeAllowance(ctx: Ctx, bytes: number): Promise<void> {
  const most = ctx.config.of(imageConfig).download_bytes_per_minute
  if (most === 0) return
  const { user_id } = ctx.identity
  const now = ctx.clock.now()
  const cost = Math.max(1, Math.ceil((bytes / most) * spanMs))
  if (await useAllowance(ctx.db, user_id, { now, cost, spanMs })) return
  const until = (await transfers.find(ctx.db, { user_id }))?.used_until ?? now
  const seconds = Math.max(1, Math.ceil((until - spanMs - now + 1) / 1000))
  const told = `You have downloaded more than ${most} bytes a minute: go on in ${seconds} seconds.`
  throw new Fault(429, 'Too Many Requests', told, { headers: { 'retry-after': String(seconds) } })
}
