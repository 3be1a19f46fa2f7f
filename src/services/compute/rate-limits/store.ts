/** What users have used of their rate limits: one row a user and limit, changed by one statement, so that all processes count together. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { RateLimit } from './rate-limit.ts'

interface UsedRow {
  user_id: string
  rate_limit: string
  /** Until when requests have used up their time; milliseconds since the epoch. */
  used_until: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_rate_limits: UsedRow
  }
}

const used = rows<UsedRow>('compute_rate_limits')

/** Counts a request; false, and not counted, when the user has used up the limit. */
export async function countRequest(ctx: Ctx, user: string, limit: RateLimit): Promise<boolean> {
  const now = ctx.clock.now()
  const [cost, latest] = [Math.ceil(limit.costMs), now + limit.spanMs + 1]
  const counted = await sql`
    insert into compute_rate_limits (user_id, rate_limit, used_until) values (${user}, ${limit.text}, ${now + cost})
    on conflict (user_id, rate_limit) do update
    set used_until = case when compute_rate_limits.used_until > ${now} then compute_rate_limits.used_until else ${now} end + ${cost}
    where case when compute_rate_limits.used_until > ${now} then compute_rate_limits.used_until else ${now} end + ${cost} <= ${latest + limit.value}
    returning used_until`.execute(ctx.db)
  return counted.rows.length > 0
}

export interface Left {
  remaining: number
  /** When there is one more, in milliseconds since the epoch. */
  next: number
}

export async function leftOf(ctx: Ctx, user: string, limit: RateLimit): Promise<Left> {
  const now = ctx.clock.now()
  const row = await used.find(ctx.db, { user_id: user, rate_limit: limit.text })
  const until = Math.max(now, row?.used_until ?? 0)
  const cost = Math.ceil(limit.costMs)
  const remaining = Math.min(
    limit.value,
    Math.max(0, Math.floor((now + limit.spanMs + 1 + limit.value - until) / cost)),
  )
  return { remaining, next: remaining > 0 ? now : until + cost - limit.spanMs }
}

/** Rows that say nothing any more. */
export function forgetUsed(ctx: Ctx): Promise<number> {
  return used.remove(ctx.db, { used_until: { op: '<', value: ctx.clock.now() } })
}
