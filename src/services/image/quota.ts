/** What a project may have in images: by the unified limits of identity, else by the configuration. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { OverQuota } from '#kernel/errors.ts'
import { imageConfig } from './config.ts'
import { type Usage, usageOf } from './images/store.ts'
import { quotaWeights } from './stores.ts'

export const mebibyte = 1024 * 1024

/** The resources' names, as they are registered. Sizes are in MiB. */
export type Resource = 'image_size_total' | 'image_stage_total' | 'image_count_total' | 'image_count_uploading'

/** The project's limit; infinite when there is none. */
export async function limitOf(ctx: Ctx, project_id: string, resource_name: Resource): Promise<number> {
  const registered = await ctx.services.identity.limit(ctx, { service: 'image', resource_name, project_id })
  if (registered !== undefined) return registered < 0 ? Number.POSITIVE_INFINITY : registered
  const { project_bytes, project_images } = ctx.config.of(imageConfig)
  const configured = { image_size_total: project_bytes / mebibyte, image_count_total: project_images }
  return (
    { ...configured, image_stage_total: project_bytes / mebibyte, image_count_uploading: 0 }[resource_name] ||
    Number.POSITIVE_INFINITY
  )
}

/** How much of a resource is used. */
export function usedOf(usage: Usage, resource: Resource): number {
  if (resource === 'image_count_total') return usage.images
  if (resource === 'image_count_uploading') return usage.uploads
  return (resource === 'image_stage_total' ? usage.staged_bytes : usage.bytes) / mebibyte
}

/** What projects use together, by the names of the resources. */
const usage = (ctx: Ctx, resource: Resource) => async (projects: readonly string[]) => ({
  [resource]: usedOf(await usageOf(ctx.db, projects, quotaWeights(ctx)), resource),
})

const asked = (project_id: string) => ({ service: 'image', project_id })

/** Whether identity knows the resource; the configuration limits the others. */
async function isUnified(ctx: Ctx, project: string, resource_name: Resource): Promise<boolean> {
  return (await ctx.services.identity.limit(ctx, { ...asked(project), resource_name })) !== undefined
}

/**
 * Throws 413 when the project cannot have `delta` more. In a transaction, others that ask about the project wait for its end: what fits
 * once fits.
 */
export async function checkLimit(ctx: Ctx, project: string | null, resource: Resource, delta: number): Promise<void> {
  if (project === null) return
  const { identity } = ctx.services
  const over = (await isUnified(ctx, project, resource))
    ? await identity.overLimits(ctx, { ...asked(project), deltas: { [resource]: delta }, usage: usage(ctx, resource) })
    : await overConfigured(ctx, project, resource, delta)
  if (over.length > 0) throw new OverQuota(identity.overLimitWords(project, over), { status: 413 })
}

async function overConfigured(ctx: Ctx, project: string, resource_name: Resource, delta: number) {
  const limit = await limitOf(ctx, project, resource_name)
  if (limit === Number.POSITIVE_INFINITY) return []
  await lock(ctx.db, ctx.database.engine, `image/${project}`)
  const used = usedOf(await usageOf(ctx.db, [project], quotaWeights(ctx)), resource_name)
  return used + delta <= limit ? [] : [{ resource_name, limit, used, delta }]
}

/** How many bytes more may come to a store where each counts so much. Throws 413 when it is none. */
export async function roomIn(ctx: Ctx, project: string | null, resource: Resource, weight = 1): Promise<number> {
  const most = ctx.config.of(imageConfig).max_size_bytes
  if (project === null) return most
  const left = (await leftOf(ctx, project, resource)) * mebibyte
  if (left <= 0) await checkLimit(ctx, project, resource, 1 / mebibyte)
  return Math.min(most, weight === 0 ? most : Math.floor(left / weight))
}

async function leftOf(ctx: Ctx, project: string, resource_name: Resource): Promise<number> {
  if (await isUnified(ctx, project, resource_name)) {
    const counted = { ...asked(project), resource_name, usage: usage(ctx, resource_name) }
    return ctx.services.identity.limitRoom(ctx, counted)
  }
  const limit = await limitOf(ctx, project, resource_name)
  if (limit === Number.POSITIVE_INFINITY) return limit
  return limit - usedOf(await usageOf(ctx.db, [project], quotaWeights(ctx)), resource_name)
}
