/** What a project may have of a resource, and what the model of hierarchies says of it. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden } from '#kernel/errors.ts'
import { services } from '../catalog/store.ts'
import { identityConfig } from '../config.ts'
import { projects } from '../projects/store.ts'
import { type LimitRow, limits, type RegisteredLimitRow, registeredLimits } from './store.ts'

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

/** What is asked of a service's resource. */
export interface LimitQuestion {
  /** Type or name of the service, as in the catalog. */
  service: string
  resource_name: string
  project_id: string
  region_id?: string
}

/** What the project may have: its own limit, else the registered one; undefined when none is registered, -1 without limit. */
export async function limitFor(ctx: Ctx, question: LimitQuestion): Promise<number | undefined> {
  const { service, resource_name, project_id, region_id } = question
  const ids = (await services.list(ctx.db))
    .filter(one => one.type === service || one.name === service)
    .map(one => one.id)
  const all = await registeredLimits.list(ctx.db, { service_id: ids, resource_name })
  const registered = all.find(one => one.region_id === (region_id ?? null)) ?? all.find(one => one.region_id === null)
  if (!registered) return undefined
  const own = await limits.find(ctx.db, { registered_limit_id: registered.id, project_id })
  return own?.resource_limit ?? registered.default_limit
}
