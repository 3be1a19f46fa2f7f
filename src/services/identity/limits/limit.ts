/** What a project may have of a resource, and what the model of hierarchies says of it. */
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { Forbidden } from '#kernel/errors.ts'
import { identityConfig } from '../config.ts'
import { projects } from '../projects/store.ts'
import { type LimitRow, limits, limitsOf, type RegisteredLimitRow } from './store.ts'

export const models = {
  flat: 'Limit enforcement and validation does not take project hierarchy into consideration.',
  strict_two_level: 'This model requires project hierarchy never exceeds a depth of two',
}

export function modelOf(ctx: Ctx): { name: keyof typeof models; description: string } {
  const name = ctx.config.of(identityConfig).limit_enforcement_model
  return { name, description: models[name] }
}

/** A limit as a number that compares: -1 is without limit. */
const amount = (limit: number) => (limit < 0 ? Number.POSITIVE_INFINITY : limit)

/** With two levels, no project may have more than its domain. `wanted` is the limit as it would be. */
export async function checkHierarchy(ctx: Ctx, registered: RegisteredLimitRow, wanted: LimitRow): Promise<void> {
  if (modelOf(ctx).name === 'flat') return
  const { registered_limit_id, project_id, domain_id, resource_limit } = wanted
  if (project_id !== null) {
    const domain = (await projects.find(ctx.db, { id: project_id }))?.domain_id ?? null
    const above = await limits.find(ctx.db, { registered_limit_id, domain_id: domain })
    if (amount(resource_limit) <= amount(above?.resource_limit ?? registered.default_limit)) return
  } else {
    const below = (await projects.list(ctx.db, { domain_id })).map(project => project.id)
    const theirs = await limits.list(ctx.db, { registered_limit_id, project_id: below })
    if (theirs.every(one => amount(one.resource_limit) <= amount(resource_limit))) return
  }
  const { resource_name, service_id, region_id } = registered
  const level = project_id !== null ? `project_id: ${project_id}` : `domain_id: ${domain_id}`
  throw new Forbidden(
    `Invalid resource limit: The resource limit (${level}, resource_name: ${resource_name}, resource_limit: ${resource_limit}, service_id: ${service_id}, region_id: ${region_id ?? 'None'}) doesn't satisfy current hierarchy model..`,
  )
}

/** Whose limits are asked for. */
export interface LimitsQuestion {
  /** Type or name of the service, as in the catalog. */
  service: string
  project_id: string
}

/** By resource; -1 is without limit, and what is not here is not limited by identity. */
type Amounts = Readonly<Record<string, number>>

export interface Limits {
  /** Of the project. */
  own: Amounts
  /** With two levels: what the projects of the domain may have together. */
  together?: Amounts
}

/** All limits of the service's resources for the project, of this cloud's region before those of every region: its own, else the registered ones. One statement. */
export async function limitsFor(ctx: Ctx, { service, project_id }: LimitsQuestion): Promise<Limits> {
  const region_id = ctx.config.of(cloudConfig).region
  const found = await limitsOf(ctx.db, { service, project_id, region_id })
  const own = Object.fromEntries(found.map(row => [row.resource_name, row.own ?? row.registered]))
  if (modelOf(ctx).name === 'flat') return { own }
  return { own, together: Object.fromEntries(found.map(row => [row.resource_name, row.above ?? row.registered])) }
}

export interface OverLimit {
  resource_name: string
  limit: number
  used: number
  delta: number
}

/** What projects have together of the resources. */
type CountUsage = (projectIds: readonly string[]) => Promise<Amounts>

export interface Wanted extends LimitsQuestion {
  /** How much more of each resource; 0 asks whether it is over already. */
  deltas: Amounts
  usage: CountUsage
}

/** One line of limits, and the projects whose usage counts against it. */
interface Level {
  limits: Amounts
  projectIds: readonly string[]
}

/** The project's own, then with two levels those of its domain. Others who ask in a transaction about one of them wait for the end of this one. */
async function levelsOf(ctx: Ctx, question: LimitsQuestion): Promise<Level[]> {
  const { service, project_id } = question
  const { own, together } = await limitsFor(ctx, question)
  const alone = { limits: own, projectIds: [project_id] }
  const domain_id = together && (await projects.find(ctx.db, { id: project_id }))?.domain_id
  await lock(ctx.db, ctx.database.engine, `identity.limits/${service}/${domain_id ?? project_id}`)
  if (!together || !domain_id) return [alone]
  const siblings = await projects.pick(ctx.db, ['id'], { domain_id })
  return [alone, { limits: together, projectIds: siblings.map(one => one.id) }]
}

function beyond(limits: Amounts, deltas: Amounts, usage: Amounts): OverLimit[] {
  return Object.entries(deltas).flatMap(([resource_name, delta]) => {
    const [limit = -1, used = 0] = [limits[resource_name], usage[resource_name]]
    return used + delta > amount(limit) ? [{ resource_name, limit, used, delta }] : []
  })
}

/** The resources of which the project, or with two levels its domain, cannot have so much more; none: it can. */
export async function overLimits(ctx: Ctx, { deltas, usage, ...question }: Wanted): Promise<OverLimit[]> {
  for (const { limits, projectIds } of await levelsOf(ctx, question)) {
    const over = beyond(limits, deltas, await usage(projectIds))
    if (over.length > 0) return over
  }
  return []
}

/** How upstream's services say it. */
export function overLimitWords(project_id: string, over: readonly OverLimit[]): string {
  const each = over.map(
    ({ resource_name, limit, used, delta }) =>
      `Resource ${resource_name} is over limit of ${limit} due to current usage ${Math.ceil(used)} and delta ${Math.ceil(delta)}`,
  )
  return `Project ${project_id} is over a limit for [${each.join(', ')}]`
}

/** How much more of a resource the project may have: infinite without limit, below nothing when it has too much. */
export async function limitRoom(
  ctx: Ctx,
  { resource_name, usage, ...question }: LimitsQuestion & { resource_name: string; usage: CountUsage },
): Promise<number> {
  let room = Number.POSITIVE_INFINITY
  for (const { limits, projectIds } of await levelsOf(ctx, question)) {
    const limit = amount(limits[resource_name] ?? -1)
    if (limit === Number.POSITIVE_INFINITY) continue
    room = Math.min(room, limit - ((await usage(projectIds))[resource_name] ?? 0))
  }
  return room
}
