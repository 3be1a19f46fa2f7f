/** Keeps users to their rate limits, before anything is done for them. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { reconciler } from '#kernel/reconcile.ts'
import type { Admission } from '#kernel/service.ts'
import { isAbout, type RateLimit, rateLimits } from './rate-limit.ts'
import { countRequest, forgetUsed, leftOf } from './store.ts'

/** `path` is below the version. Throws the 429 of a limit that is used up. */
export async function keepToRateLimits(ctx: Ctx, { method, path }: Admission): Promise<void> {
  const uri = path.replace(/^\/v2\.1(?=\/|$)/, '') || '/'
  for (const limit of rateLimits(ctx)) {
    if (!isAbout(limit, method, uri)) continue
    if (!(await countRequest(ctx, ctx.identity.user_id, limit))) throw await overLimit(ctx, limit)
  }
}

async function overLimit(ctx: Ctx, limit: RateLimit): Promise<Fault> {
  const { next } = await leftOf(ctx, ctx.identity.user_id, limit)
  const seconds = Math.max(1, Math.ceil((next - ctx.clock.now()) / 1000))
  const { value, verb, uri, unit } = limit
  const details = `Only ${value} ${verb} request(s) can be made to ${uri} every ${unit}.`
  const options = { headers: { 'retry-after': String(seconds) }, extra: { details } }
  return new Fault(429, 'Too Many Requests', 'This request was rate-limited.', options)
}

/** What was used up long ago is forgotten. */
export const usedRateLimits = reconciler({
  id: 'compute.rate-limits',
  every: 600_000,
  async run(ctx) {
    if (rateLimits(ctx).length > 0) await forgetUsed(ctx)
  },
})
