/** Counts a request for servers against its project's quota, in the transaction that makes them. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { OverQuota } from '#kernel/errors.ts'
import {
  isUnified,
  type Limits,
  ownLimits,
  quotaLimits,
  unifiedNames,
  unregistered,
  userSubject,
} from '../quotas/quota.ts'
import type { InjectedFile, ServerRow } from './server.ts'
import { type ProjectUsage, usageOf } from './store.ts'

export interface Demand {
  vcpus: number
  memory_mb: number
  disk_gb: number
  min_count: number
  max_count: number
}

const counted = ['cores', 'instances', 'ram'] as const

/** Quota sets know no disk. */
const unifiedCounted = [...counted, 'disk'] as const
const unifiedName = { ...unifiedNames, disk: 'class:DISK_GB' }

const demandOf = (count: number, { vcpus, memory_mb, disk_gb }: Demand): ProjectUsage => ({
  ...{ instances: count, cores: count * vcpus },
  ...{ ram: count * memory_mb, disk: count * disk_gb },
})

interface Scope {
  limits: Limits
  used: ProjectUsage
}

const nothing: ProjectUsage = { instances: 0, cores: 0, ram: 0, disk: 0 }

/** What is used, as far as it is limited: without limits, a project may have so much that counting it takes long. */
async function usedWithin(ctx: Ctx, limits: Limits, project: string, user?: string): Promise<ProjectUsage> {
  return counted.every(resource => limits[resource] < 0) ? nothing : usageOf(ctx, project, user)
}

/** The project, and the user in it when it has limits of its own. */
async function scopes(ctx: Ctx, project: string, user: string): Promise<Scope[]> {
  const limits = await quotaLimits(ctx, project)
  const whole = { limits, used: await usedWithin(ctx, limits, project) }
  const own = await ownLimits(ctx, 'user', userSubject(project, user))
  if (!counted.some(resource => own[resource] !== undefined)) return [whole]
  const narrow = { ...limits, ...own }
  return [whole, { limits: narrow, used: await usedWithin(ctx, narrow, project, user) }]
}

/** What of unified limits nothing more may be had. */
async function unifiedOvers(ctx: Ctx, project_id: string, more: Partial<ProjectUsage>) {
  const asked = unifiedCounted.filter(resource => (more[resource] ?? 0) > 0)
  const { own } = await ctx.services.identity.limits(ctx, { service: 'compute', project_id })
  const usage = async (projects: readonly string[]) => {
    const used = await usageOf(ctx, projects)
    return Object.fromEntries(unifiedCounted.map(resource => [unifiedName[resource], used[resource]]))
  }
  const deltas = Object.fromEntries(asked.map(resource => [unifiedName[resource], more[resource]!]))
  const over = await ctx.services.identity.overLimits(ctx, { service: 'compute', project_id, deltas, usage })
  const refused = Object.keys(deltas).filter(name => own[name] === undefined && unregistered(ctx, name) === 0)
  if (refused.length === 0) return over
  const used = await usage([project_id])
  const none = refused.map(name => ({ resource_name: name, limit: 0, used: used[name] ?? 0, delta: deltas[name]! }))
  return [...over, ...none]
}

/** The same by unified limits. */
async function admittedUnified(ctx: Ctx, project: string, demand: Demand): Promise<number> {
  let count = demand.max_count
  let refusal: OverQuota | undefined
  for (;;) {
    const over = await unifiedOvers(ctx, project, demandOf(count, demand))
    if (over.length === 0) return count
    refusal ??= new OverQuota(ctx.services.identity.overLimitWords(project, over))
    const fitting = over.map(({ limit, used, delta }) => Math.floor((limit - used) / (delta / count)))
    count = Math.min(...fitting)
    if (count < Math.max(demand.min_count, 1)) throw refusal
  }
}

/** How many of the servers asked for fit, at least `min_count`; throws Nova's 403 otherwise. Locks the project's count. */
export async function admitted(ctx: Ctx, project: string, demand: Demand): Promise<number> {
  if (isUnified(ctx)) return admittedUnified(ctx, project, demand)
  await lock(ctx.db, ctx.database.engine, `compute.quota.${project}`)
  const each = demandOf(1, demand)
  let admitted = demand.max_count
  for (const { limits, used } of await scopes(ctx, project, ctx.identity.user_id)) {
    for (const resource of counted) {
      if (limits[resource] < 0 || each[resource] === 0) continue
      admitted = Math.min(admitted, Math.floor((limits[resource] - used[resource]) / each[resource]))
    }
    if (admitted < demand.min_count) throw tooMany(limits, used, each, demand)
  }
  return admitted
}

function tooMany(limits: Limits, used: ProjectUsage, each: ProjectUsage, demand: Demand): OverQuota {
  const wanted = (resource: (typeof counted)[number]) => each[resource] * demand.max_count
  const overs = counted.filter(r => limits[r] >= 0 && used[r] + wanted(r) > limits[r])
  const instances =
    demand.min_count === demand.max_count ? `${demand.min_count}` : `${demand.min_count}-${demand.max_count}`
  const list = (of: (resource: (typeof counted)[number]) => string | number) => overs.map(of).join(', ')
  return new OverQuota(
    `Quota exceeded for ${list(r => r)}: Requested ${list(r => (r === 'instances' ? instances : wanted(r)))},` +
      ` but already used ${list(r => used[r])} of ${list(r => limits[r])} ${list(r => r)}`,
  )
}

type Growth = Omit<ProjectUsage, 'instances'>

/** Throws Nova's 403 when a server may not grow by so much: its project has no room for it, or its user there. Locks the project's count. */
export async function admitGrowth(
  ctx: Ctx,
  { project_id: project, user_id }: Pick<ServerRow, 'project_id' | 'user_id'>,
  more: Growth,
): Promise<void> {
  if (isUnified(ctx)) {
    const over = await unifiedOvers(ctx, project, more)
    if (over.length > 0) throw new OverQuota(ctx.services.identity.overLimitWords(project, over))
    return
  }
  await lock(ctx.db, ctx.database.engine, `compute.quota.${project}`)
  for (const { limits, used } of await scopes(ctx, project, user_id)) {
    const isOver = (r: 'cores' | 'ram') => more[r] > 0 && limits[r] >= 0 && used[r] + more[r] > limits[r]
    const overs = (['cores', 'ram'] as const).filter(isOver)
    if (overs.length === 0) continue
    const list = (of: (resource: 'cores' | 'ram') => string | number) => overs.map(of).join(', ')
    throw new OverQuota(
      `Quota exceeded for ${list(r => r)}: Requested ${list(r => more[r])},` +
        ` but already used ${list(r => used[r])} of ${list(r => limits[r])} ${list(r => r)}`,
    )
  }
}

/** Limits on what one request carries. */
export async function checkContents(
  ctx: Ctx,
  project: string,
  metadata: Record<string, string>,
  files: readonly InjectedFile[],
): Promise<void> {
  const limits = await quotaLimits(ctx, project, ctx.identity.user_id)
  const over = (limit: number, value: number) => limit >= 0 && value > limit
  if (over(limits.metadata_items, Object.keys(metadata).length)) {
    throw new OverQuota(`Maximum number of metadata items exceeds ${limits.metadata_items}`)
  }
  if (over(limits.injected_files, files.length)) throw new OverQuota('Personality file limit exceeded')
  for (const { path, contents } of files) {
    if (over(limits.injected_file_path_bytes, Buffer.byteLength(path))) {
      throw new OverQuota(`Personality file path exceeds maximum ${limits.injected_file_path_bytes}`)
    }
    if (over(limits.injected_file_content_bytes, Buffer.byteLength(contents, 'base64'))) {
      throw new OverQuota(`Personality file content exceeds maximum ${limits.injected_file_content_bytes}`)
    }
  }
}
