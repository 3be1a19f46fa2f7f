/** What a project uses of its quotas. */
import type { Ctx } from '#kernel/context.ts'
import { serverGroups } from '../server-groups/store.ts'
import { usageOf } from '../servers/store.ts'
import type { QuotaResource } from './quota.ts'

/** Resources without an entry are limits of single things, not sums. */
export async function quotaUsage(ctx: Ctx, project: string): Promise<Partial<Record<QuotaResource, number>>> {
  return {
    ...(await usageOf(ctx, project)),
    server_groups: await serverGroups.count(ctx.db, { project_id: project }),
  }
}
