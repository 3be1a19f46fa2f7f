/** Quotas: exact limits on what a project may have, counted in the transaction that adds to it. */
import type { Values } from '#kernel/config/section.ts'
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { networkConfig } from '../config.ts'
import { overQuota } from '../errors.ts'
import { type QuotaResource, quotaResources, quotaRows, usedBy } from './store.ts'

export const isUnified = (ctx: Ctx): boolean => ctx.config.of(networkConfig).quota_driver === 'unified_limits'

type Quotas = Record<QuotaResource, number>

/** The limits of projects that have none of their own. */
export async function defaultQuotas(ctx: Ctx): Promise<Quotas> {
  return isUnified(ctx) ? unifiedQuotas(ctx, '') : configured(ctx)
}

function configured(ctx: Ctx): Quotas {
  const config = ctx.config.of(networkConfig) as Values<typeof networkConfig>
  return Object.fromEntries(quotaResources.map(name => [name, config[`quota_${name}`]])) as Quotas
}

async function unifiedQuotas(ctx: Ctx, project_id: string): Promise<Quotas> {
  const { own } = await ctx.services.identity.limits(ctx, { service: 'network', project_id })
  const known = Object.entries(own).filter(([name]) => (quotaResources as string[]).includes(name))
  return { ...configured(ctx), ...Object.fromEntries(known) }
}

export async function quotasOf(ctx: Ctx, projectId: string): Promise<Quotas> {
  if (isUnified(ctx)) return unifiedQuotas(ctx, projectId)
  const own = await quotaRows.list(ctx.db, { project_id: projectId })
  return { ...configured(ctx), ...Object.fromEntries(own.map(row => [row.resource, row.quota])) }
}

/** Throws when `more` of a resource would be too many. Others who add to the same wait until this transaction ends. */
export async function reserve(ctx: Ctx, projectId: string, resource: QuotaResource, more = 1): Promise<void> {
  const fits = (await isRegistered(ctx, projectId, resource)) ? fitsUnified : fitsOwn
  if (!(await fits(ctx, projectId, resource, more))) throw overQuota([resource])
}

/** Whether identity limits the resource; the configuration limits the others. */
const isRegistered = async (ctx: Ctx, project_id: string, resource_name: QuotaResource) =>
  isUnified(ctx) &&
  (await ctx.services.identity.limit(ctx, { service: 'network', project_id, resource_name })) !== undefined

async function fitsOwn(ctx: Ctx, projectId: string, resource: QuotaResource, more: number): Promise<boolean> {
  await lock(ctx.db, ctx.database.engine, `network.quota:${projectId}:${resource}`)
  const limit = (await quotasOf(ctx, projectId))[resource]
  return limit < 0 || (await usedBy(ctx.db, [projectId], resource)) + more <= limit
}

/** Whether the unified limits of the project and of its domain allow it. */
async function fitsUnified(ctx: Ctx, project_id: string, resource: QuotaResource, more: number): Promise<boolean> {
  const usage = async (projects: readonly string[]) => ({ [resource]: await usedBy(ctx.db, projects, resource) })
  const asked = { service: 'network', project_id, deltas: { [resource]: more }, usage }
  return (await ctx.services.identity.overLimits(ctx, asked)).length === 0
}
