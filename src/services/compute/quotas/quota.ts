/** Quotas of compute: which resources have a limit, and how much of each a project may have. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import { type QuotaRow, quotas } from './store.ts'

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

/** Resources of the network service, that were once limited here. Their limits are kept for those who ask, and limit nothing. */
export const networkResources = ['floating_ips', 'fixed_ips', 'security_groups', 'security_group_rules'] as const
export type AnyResource = QuotaResource | (typeof networkResources)[number]

/** -1 is no limit. */
export type Limits = Record<QuotaResource, number>

export type AnyLimits = Partial<Record<AnyResource, number>>

/** What each resource is called in identity. */
export const unifiedNames: Record<QuotaResource, string> = {
  instances: 'servers',
  cores: 'class:VCPU',
  ram: 'class:MEMORY_MB',
  metadata_items: 'server_metadata_items',
  injected_files: 'server_injected_files',
  injected_file_content_bytes: 'server_injected_file_content_bytes',
  injected_file_path_bytes: 'server_injected_file_path_bytes',
  key_pairs: 'server_key_pairs',
  server_groups: 'server_groups',
  server_group_members: 'server_group_members',
}

export const isUnified = (ctx: Ctx): boolean => ctx.config.of(computeConfig).quota_driver === 'unified_limits'

/** The limit of a resource of which identity knows none: nothing of it, or as much as one likes. */
export function unregistered(ctx: Ctx, name: string): 0 | -1 {
  const { unified_limits_resource_strategy: strategy, unified_limits_resource_list: list } =
    ctx.config.of(computeConfig)
  return list.includes(name) === (strategy === 'require') ? 0 : -1
}

/** All limits of a project; those of projects without their own, for none. */
export async function unifiedLimits(ctx: Ctx, project_id = ''): Promise<Limits> {
  const { own } = await ctx.services.identity.limits(ctx, { service: 'compute', project_id })
  const limits = Object.entries(unifiedNames).map(([key, name]) => [key, own[name] ?? unregistered(ctx, name)])
  return Object.fromEntries(limits) as Limits
}

/** Limits that someone set: of a project, a class, or a user in a project. */
export async function ownLimits(ctx: Ctx, kind: QuotaRow['kind'], subject: string): Promise<AnyLimits> {
  const found = await quotas.list(ctx.db, { kind, subject })
  return Object.fromEntries(found.map(row => [row.resource, row.limit_value]))
}

/** What stands for a user's share of a project in the table of limits. */
export const userSubject = (project: string, user: string) => `${project}/${user}`

/** Limits of a class; `default` holds for all projects without their own. */
export async function classLimits(ctx: Ctx, name: string): Promise<Limits & AnyLimits> {
  if (isUnified(ctx)) return unifiedLimits(ctx)
  return { ...ctx.config.of(computeConfig).quota, ...(await ownLimits(ctx, 'class', name)) }
}

/** How much of each resource a project may have; with a user, how much that user may have there. */
export async function quotaLimits(ctx: Ctx, project: string, user?: string): Promise<Limits & AnyLimits> {
  if (isUnified(ctx)) return unifiedLimits(ctx, project)
  // From the widest to the narrowest, which says the last word.
  const subjects = { class: 'default', project, ...(user !== undefined && { user: userSubject(project, user) }) }
  const kinds = Object.keys(subjects) as (keyof typeof subjects & QuotaRow['kind'])[]
  const found = await quotas.list(ctx.db, { kind: kinds, subject: Object.values(subjects) })
  const set = kinds.flatMap(kind => found.filter(row => row.kind === kind && row.subject === subjects[kind]))
  return {
    ...ctx.config.of(computeConfig).quota,
    ...Object.fromEntries(set.map(row => [row.resource, row.limit_value])),
  }
}

/** Whether `used` and `more` together are within a limit. */
export function within(limit: number, used: number, more = 1): boolean {
  return limit < 0 || used + more <= limit
}
