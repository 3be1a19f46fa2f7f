/** First contents of identity: the Default domain, projects, roles, users and the catalog. Running it again adds what is missing. */
import type { Ctx } from '#kernel/context.ts'
import { type Assignment, assignments } from './assignments/store.ts'
import { type EndpointRow, endpoints, regions, type ServiceRow, services } from './catalog/store.ts'
import { projects } from './projects/store.ts'
import { identityChanged } from './revocations/revocation.ts'
import { builtInRoles } from './roles/role.ts'
import { impliedRoles, roles } from './roles/store.ts'
import { users } from './users/store.ts'
import { blankUser, newPasswordHash } from './users/user.ts'

export interface FirstContents {
  admin_password: string
  demo_password: string
  region: string
  /** Where each service answers; `path` is below the cloud's address, `/compute/v2.1`. */
  endpoints: { type: string; name: string; path: string }[]
}

const domain_id = 'default'

export interface Account {
  project: string
  user: string
  password: string
  /** Name of a role. */
  role: string
}

/** A project of the domain Default and a user who has a role there; what is there already stays as it is. */
export async function ensureAccount(ctx: Ctx, account: Account): Promise<{ project_id: string; user_id: string }> {
  // Hashing is slow work that no transaction should wait for.
  const known = await users.find(ctx.db, { domain_id, name: account.user, foreign_id: '' })
  const hash = known ? null : await newPasswordHash(ctx, account.password)
  return ctx.transaction(async tx => {
    const project_id = await ensureProject(tx, account.project)
    const user_id = await ensureUser(tx, account.user, hash, project_id)
    const role = await roles.find(tx.db, { name: account.role, domain_id: null })
    if (!role) throw new Error(`There is no role "${account.role}".`)
    await ensureAssignment(tx, user_id, 'project', project_id, role.id)
    return { project_id, user_id }
  })
}

export async function bootstrap(ctx: Ctx, contents: FirstContents): Promise<void> {
  await ctx.transaction(async tx => {
    await ensureDomain(tx)
    await ensureRoles(tx)
    await ensureProject(tx, 'service')
    await ensureCatalog(tx, contents)
  })
  const admin = { project: 'admin', user: 'admin', password: contents.admin_password, role: 'admin' }
  const demo = { project: 'demo', user: 'demo', password: contents.demo_password, role: 'member' }
  // At once: the hash of each password takes a tenth of a second.
  const [{ user_id }] = await Promise.all([ensureAccount(ctx, admin), ensureAccount(ctx, demo)])
  await ctx.transaction(async tx => {
    const role = await roles.find(tx.db, { name: 'admin', domain_id: null })
    await ensureAssignment(tx, user_id, 'system', 'system', role!.id)
    await identityChanged(tx)
  })
}

async function ensureDomain(ctx: Ctx): Promise<void> {
  if (await projects.find(ctx.db, { id: domain_id })) return
  const domain = { id: domain_id, name: 'Default', domain_id: null, parent_id: null, is_domain: true }
  await projects.insert(ctx.db, { ...blankProject, ...domain })
}

const blankProject = { enabled: true, description: '', tags: [], options: {}, extra: {}, tokens_after: 0 }

async function ensureProject(ctx: Ctx, name: string): Promise<string> {
  const found = await projects.find(ctx.db, { domain_id, name })
  if (found) return found.id
  const id = ctx.ids.hex()
  await projects.insert(ctx.db, { ...blankProject, id, name, domain_id, parent_id: domain_id, is_domain: false })
  return id
}

async function ensureRoles(ctx: Ctx): Promise<void> {
  const ids = new Map<string, string>()
  for (const { name } of builtInRoles) {
    const found = await roles.find(ctx.db, { name, domain_id: null })
    const id = found?.id ?? ctx.ids.hex()
    if (!found) await roles.insert(ctx.db, { id, name, domain_id: null, description: null, options: {}, extra: {} })
    ids.set(name, id)
  }
  for (const { name, implies } of builtInRoles) {
    if (!implies) continue
    const row = { prior_role_id: ids.get(name)!, implied_role_id: ids.get(implies)! }
    await impliedRoles.insertNew(ctx.db, row)
  }
}

async function ensureUser(ctx: Ctx, name: string, hash: string | null, project: string): Promise<string> {
  const found = await users.find(ctx.db, { domain_id, name, foreign_id: '' })
  if (found) return found.id
  const now = ctx.clock.now()
  const id = ctx.ids.hex()
  await users.insert(ctx.db, {
    ...blankUser,
    extra: {},
    id,
    name,
    domain_id,
    default_project_id: project,
    password_hash: hash,
    password_changed_at: now,
    created_at: now,
  })
  return id
}

async function ensureAssignment(
  ctx: Ctx,
  actor_id: string,
  target_type: Assignment['target_type'],
  target_id: string,
  role_id: string,
): Promise<void> {
  const row: Assignment = { actor_type: 'user', actor_id, target_type, target_id, role_id, inherited: false }
  await assignments.insertNew(ctx.db, row)
}

async function ensureCatalog(ctx: Ctx, { region, endpoints: wanted }: FirstContents): Promise<void> {
  if (!(await regions.find(ctx.db, { id: region }))) {
    await regions.insert(ctx.db, { id: region, description: '', parent_region_id: null, extra: {} })
  }
  const named = await services.list(ctx.db, { type: wanted.map(({ type }) => type) })
  const there = await endpoints.list(ctx.db, { region_id: region })
  const newServices: ServiceRow[] = []
  const newEndpoints: EndpointRow[] = []
  for (const { type, name, path } of wanted) {
    const found = named.find(one => one.type === type && one.name === name)
    const service_id = found?.id ?? ctx.ids.hex()
    if (!found) newServices.push({ id: service_id, type, name, description: null, enabled: true, extra: {} })
    const url = `%(base)s${path}`
    for (const side of ['public', 'internal', 'admin'] as const)
      if (!there.some(one => one.service_id === service_id && one.interface === side))
        newEndpoints.push({
          ...{ id: ctx.ids.hex(), service_id, region_id: region, interface: side, url },
          ...{ enabled: true, extra: {} },
        })
  }
  await services.insertMany(ctx.db, newServices)
  await endpoints.insertMany(ctx.db, newEndpoints)
}
