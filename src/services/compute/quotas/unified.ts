/** Quotas of compute as unified limits of identity, under the names that Nova gives them there. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import type { Limits, QuotaResource } from './quota.ts'

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
