/** Quotas of compute: which resources have a limit, and how much of each a project may have. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import { quotas } from './store.ts'

/** In the order in which the API shows them. */
export const quotaResources = [
  'instances',
  'cores',
  'ram',
  'metadata_items',
  'injected_files',
  'injected_file_content_bytes',
  'injected_file_path_bytes',
  'key_pairs',
  'server_groups',
  'server_group_members',
] as const
export type QuotaResource = (typeof quotaResources)[number]

/** -1 is no limit. */
export type Limits = Record<QuotaResource, number>

/** Limits of a project where someone set them. */
export async function ownLimits(ctx: Ctx, project: string): Promise<Partial<Limits>> {
  const found = await quotas.list(ctx.db, { kind: 'project', subject: project })
  return Object.fromEntries(found.map(row => [row.resource, row.limit_value]))
}

/** Limits of a class; `default` holds for all projects without their own. */
export async function classLimits(ctx: Ctx, name: string): Promise<Limits> {
  const found = await quotas.list(ctx.db, { kind: 'class', subject: name })
  const configured = ctx.config.of(computeConfig).quota
  return { ...configured, ...Object.fromEntries(found.map(row => [row.resource, row.limit_value])) }
}

/** How much of each resource a project may have. */
export async function quotaLimits(ctx: Ctx, project: string): Promise<Limits> {
  return { ...(await classLimits(ctx, 'default')), ...(await ownLimits(ctx, project)) }
}

/** Whether `used` and `more` together are within a limit. */
export function within(limit: number, used: number, more = 1): boolean {
  return limit < 0 || used + more <= limit
}
