/** Limits: how much a project may have of what Nova limits, and has. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, anyone, rule } from '#kernel/policy/rule.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { until } from '#kernel/schema/marks.ts'
import { body, query } from '../dialect.ts'
import { quotaLimits } from '../quotas/quota.ts'
import { rateLimits } from '../rate-limits/rate-limit.ts'
import { leftOf } from '../rate-limits/store.ts'
import { serverGroups } from '../server-groups/store.ts'
import { usageOf } from '../servers/store.ts'

const otherProject = rule('os_compute_api:limits:other_project', admin)

const number = Type.Integer({ minimum: -1 })
const absolute = Type.Object({
  maxTotalRAMSize: number,
  maxTotalInstances: number,
  maxTotalCores: number,
  maxTotalKeypairs: number,
  maxServerMeta: number,
  maxServerGroups: number,
  maxServerGroupMembers: number,
  maxImageMeta: until('2.38', number),
  maxPersonality: until('2.56', number),
  maxPersonalitySize: until('2.56', number),
  maxTotalFloatingIps: until('2.35', number),
  maxSecurityGroups: until('2.35', number),
  maxSecurityGroupRules: until('2.35', number),
  totalRAMUsed: number,
  totalCoresUsed: number,
  totalInstancesUsed: number,
  totalServerGroupsUsed: number,
  totalFloatingIpsUsed: until('2.35', number),
  totalSecurityGroupsUsed: until('2.35', number),
})

const rate = Type.Object({
  uri: Type.String(),
  regex: Type.String(),
  limit: Type.Array(
    Type.Object({
      verb: Type.String(),
      value: Type.Integer(),
      remaining: Type.Integer(),
      unit: Type.String(),
      'next-available': Type.String(),
    }),
  ),
})

/** The caller's own: rate limits are for users. Limits of one route are together. */
async function rateViews(ctx: Ctx): Promise<Static<typeof rate>[]> {
  const byRoute = Map.groupBy(rateLimits(ctx), limit => limit.uri)
  const views: Static<typeof rate>[] = []
  for (const [uri, limits] of byRoute) {
    const limit: Static<typeof rate>['limit'] = []
    for (const one of limits) {
      const { remaining, next } = await leftOf(ctx, ctx.identity.user_id, one)
      const available = `${new Date(next).toISOString().slice(0, 19)}Z`
      limit.push({
        verb: one.verb,
        value: one.value,
        remaining,
        unit: one.unit.toUpperCase(),
        'next-available': available,
      })
    }
    views.push({ uri, regex: limits[0]!.regex, limit })
  }
  return views
}

const show = operation({
  id: 'compute.limits.show',
  method: 'GET',
  path: '/v2.1/limits',
  summary: "Show a project's limits and what it uses of them",
  policy: rule('os_compute_api:limits', anyone),
  query: query({ tenant_id: Type.Optional(Type.String()), reserved: Type.Optional(Type.String()) }),
  response: body('limits', Type.Object({ rate: Type.Array(rate), absolute })),
  async handle(ctx, { query }) {
    if (query.tenant_id !== undefined) ctx.enforce(otherProject)
    const project = query.tenant_id ?? ctx.identity.project_id ?? ''
    const limits = await quotaLimits(ctx, project)
    const used = await usageOf(ctx, project)
    return {
      limits: {
        rate: await rateViews(ctx),
        absolute: {
          maxTotalRAMSize: limits.ram,
          maxTotalInstances: limits.instances,
          maxTotalCores: limits.cores,
          maxTotalKeypairs: limits.key_pairs,
          maxServerMeta: limits.metadata_items,
          maxServerGroups: limits.server_groups,
          maxServerGroupMembers: limits.server_group_members,
          maxImageMeta: limits.metadata_items,
          maxPersonality: limits.injected_files,
          maxPersonalitySize: limits.injected_file_content_bytes,
          // Of the network service now, which has limits of its own.
          maxTotalFloatingIps: limits.floating_ips ?? -1,
          maxSecurityGroups: limits.security_groups ?? -1,
          maxSecurityGroupRules: limits.security_group_rules ?? -1,
          totalRAMUsed: used.ram,
          totalCoresUsed: used.cores,
          totalInstancesUsed: used.instances,
          totalServerGroupsUsed: await serverGroups.count(ctx.db, { project_id: project }),
          totalFloatingIpsUsed: 0,
          totalSecurityGroupsUsed: 0,
        },
      },
    }
  },
})

export const limitOperations: Operation[] = [show]
export const limitRules = [otherProject]
