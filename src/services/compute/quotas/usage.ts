/** What a project, or a user in it, uses of its quotas. */
import type { Ctx } from '#kernel/context.ts'
import { serverGroups } from '../server-groups/store.ts'
import { usageOf } from '../servers/store.ts'
import type { QuotaResource } from './quota.ts'

/** Resources without an entry are limits of single things, not sums. */
export async function quotaUsage(
  ctx: Ctx,
  project: string,
  user?: string,
): Promise<Partial<Record<QuotaResource, number>>> {
  const whose = { project_id: project, ...(user !== undefined && { user_id: user }) }
  return { ...(await usageOf(ctx, project, user)), server_groups: await serverGroups.count(ctx.db, whose) }
}
