/** What a project may have in images: by the unified limits of identity, else by the configuration. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { OverQuota } from '#kernel/errors.ts'
import { imageConfig } from './config.ts'
import { type Usage, usageOf } from './images/store.ts'

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

/**
 * Throws 413 when the project cannot have `delta` more. In a transaction, others that ask about the project wait for its end: what fits
 * once fits.
 */
export async function checkLimit(ctx: Ctx, project: string | null, resource: Resource, delta: number): Promise<void> {
  if (project === null) return
  const limit = await limitOf(ctx, project, resource)
  if (limit === Number.POSITIVE_INFINITY) return
  await lock(ctx.db, ctx.database.engine, `image/${project}`)
  const used = usedOf(await usageOf(ctx.db, project), resource)
  if (used + delta <= limit) return
  throw new OverQuota(
    `Project ${project} is over a limit for [Resource ${resource} is over limit of ${limit} due to current usage ${Math.ceil(used)} and delta ${Math.ceil(delta)}]`,
    { status: 413 },
  )
}

/** How many bytes more may come. Throws 413 when it is none. */
export async function roomIn(ctx: Ctx, project: string | null, resource: Resource): Promise<number> {
  const most = ctx.config.of(imageConfig).max_size_bytes
  if (project === null) return most
  const limit = await limitOf(ctx, project, resource)
  if (limit === Number.POSITIVE_INFINITY) return most
  const left = (limit - usedOf(await usageOf(ctx.db, project), resource)) * mebibyte
  if (left <= 0) await checkLimit(ctx, project, resource, 1 / mebibyte)
  return Math.min(most, left)
}
