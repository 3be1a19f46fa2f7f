/** Quotas: exact limits on what a project may have, counted in the transaction that adds to it. */
import type { Values } from '#kernel/config/section.ts'
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { networkConfig } from '../config.ts'
import { overQuota } from '../errors.ts'
import { type QuotaResource, quotaResources, quotaRows, usedBy } from './store.ts'

/** The limits of projects that have none of their own. */
export function defaultQuotas(ctx: Ctx): Record<QuotaResource, number> {
  const config = ctx.config.of(networkConfig) as Values<typeof networkConfig>
  return Object.fromEntries(quotaResources.map(name => [name, config[`quota_${name}`]])) as Record<
    QuotaResource,
    number
  >
}

export async function quotasOf(ctx: Ctx, projectId: string): Promise<Record<QuotaResource, number>> {
  const own = await quotaRows.list(ctx.db, { project_id: projectId })
  return { ...defaultQuotas(ctx), ...Object.fromEntries(own.map(row => [row.resource, row.quota])) }
}

/** Throws when `more` of a resource would be too many. Others who add to the same wait until this transaction ends. */
export async function reserve(ctx: Ctx, projectId: string, resource: QuotaResource, more = 1): Promise<void> {
  await lock(ctx.db, ctx.database.engine, `network.quota:${projectId}:${resource}`)
  const limit = (await quotasOf(ctx, projectId))[resource]
  if (limit >= 0 && (await usedBy(ctx.db, projectId, resource)) + more > limit) throw overQuota([resource])
}
