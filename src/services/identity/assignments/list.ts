/** GET /v3/role_assignments: who has which role where, as granted or (effective) as it works out. */
import type { Ctx } from '#kernel/context.ts'
import type { Where } from '#kernel/db/rows.ts'
import { BadRequest } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { listOf, named } from '../answers.ts'
import { type GroupRow, groups, memberships } from '../groups/store.ts'
import { collectionOf, isYes } from '../listing.ts'
import { adminRequired, allScopes, identityRule, systemReader } from '../policy.ts'
import { descendants, findProject } from '../projects/project.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { withImplied } from '../roles/role.ts'
import { type RoleRow, roles } from '../roles/store.ts'
import { type UserRow, users } from '../users/store.ts'
import { ancestors } from './assignment.ts'
import { type Assignment, assignments } from './store.ts'

/** An assignment and, when it follows from others, from which. */
interface Effect extends Assignment {
  group_id?: string
  prior_role_id?: string
  /** The target of the grant that is inherited here. */
  from?: { type: string; id: string }
}

const text = Type.Optional(Type.String())
const query = Type.Object({
  'user.id': text,
  'group.id': text,
  'role.id': text,
  'scope.project.id': text,
  'scope.domain.id': text,
  'scope.system': text,
  'scope.OS-INHERIT:inherited_to': text,
  effective: text,
  include_names: text,
  include_subtree: text,
})
type Query = Static<typeof query>

const flag = (value: string | undefined) => value !== undefined && isYes(value)

/** Filters that hold for grants as they are stored. */
function stored(asked: Query, effective: boolean): Where<Assignment> {
  const where: Where<Assignment> = {}
  if (asked['scope.system'] !== undefined) where.target_type = 'system'
  if (effective) return where
  if (asked['user.id'] !== undefined) Object.assign(where, { actor_type: 'user', actor_id: asked['user.id'] })
  if (asked['group.id'] !== undefined) Object.assign(where, { actor_type: 'group', actor_id: asked['group.id'] })
  if (asked['role.id'] !== undefined) where.role_id = asked['role.id']
  if (asked['scope.OS-INHERIT:inherited_to'] !== undefined) where.inherited = true
  return where
}

/** Groups become their users, inherited roles reach their projects, implied roles join. */
async function workOut(ctx: Ctx, granted: readonly Assignment[]): Promise<Effect[]> {
  const perUser: Effect[] = []
  for (const one of granted) {
    if (one.actor_type === 'user') perUser.push(one)
    else
      for (const { user_id } of await memberships.list(ctx.db, { group_id: one.actor_id })) {
        perUser.push({ ...one, actor_type: 'user', actor_id: user_id, group_id: one.actor_id })
      }
  }
  const reached: Effect[] = perUser.filter(one => !one.inherited)
  const inheriting = perUser.filter(one => one.inherited)
  if (inheriting.length > 0) {
    for (const project of await projects.list(ctx.db, { is_domain: false })) {
      const above = await ancestors(ctx, project)
      for (const one of inheriting) {
        if (!above.includes(one.target_id)) continue
        const from = { type: one.target_type, id: one.target_id }
        reached.push({ ...one, target_type: 'project', target_id: project.id, inherited: true, from })
      }
    }
  }
  const all: Effect[] = []
  // A role of a domain works only by what it implies.
  const ofDomains = new Set((await roles.list(ctx.db, { domain_id: { op: '!=', value: null } })).map(role => role.id))
  for (const one of reached) {
    for (const [role_id, prior] of await withImplied(ctx, [one.role_id])) {
      if (ofDomains.has(role_id)) continue
      all.push(role_id === one.role_id ? one : { ...one, role_id, prior_role_id: prior })
    }
  }
  return all
}

/** The projects and domains that the query's scope means; undefined: all. */
async function targetsOf(ctx: Ctx, asked: Query): Promise<{ type: string; ids: string[] } | undefined> {
  const project = asked['scope.project.id']
  if (project !== undefined) {
    const below = flag(asked.include_subtree) ? await descendants(ctx, (await findProject(ctx, project)).id) : []
    return { type: 'project', ids: [project, ...below.map(one => one.id)] }
  }
  const domain = asked['scope.domain.id']
  return domain === undefined ? undefined : { type: 'domain', ids: [domain] }
}

function checkQuery(asked: Query): void {
  if (flag(asked.include_subtree) && asked['scope.project.id'] === undefined) {
    throw new BadRequest('scope.project.id must be specified if include_subtree is also specified')
  }
  const clashes = [
    ['user.id', 'group.id'],
    ['scope.domain.id', 'scope.project.id'],
    ['scope.domain.id', 'scope.system'],
    ['scope.project.id', 'scope.system'],
  ] as const
  for (const [a, b] of clashes) {
    if (asked[a] !== undefined && asked[b] !== undefined) throw new BadRequest(`Specify a ${a} or a ${b}, not both.`)
  }
  if (flag(asked.effective) && asked['group.id'] !== undefined) {
    throw new BadRequest('group.id and effective cannot be used together: effective lists show users only.')
  }
}

async function collect(ctx: Ctx, asked: Query): Promise<Effect[]> {
  const effective = flag(asked.effective)
  const granted = await assignments.list(ctx.db, stored(asked, effective))
  const found = effective ? await workOut(ctx, granted) : granted
  const targets = await targetsOf(ctx, asked)
  return found.filter(
    one =>
      (!targets || (one.target_type === targets.type && targets.ids.includes(one.target_id))) &&
      (asked['user.id'] === undefined || (one.actor_type === 'user' && one.actor_id === asked['user.id'])) &&
      (asked['role.id'] === undefined || one.role_id === asked['role.id']),
  )
}

interface Names {
  role: Map<string, RoleRow>
  user: Map<string, UserRow>
  group: Map<string, GroupRow>
  project: Map<string, ProjectRow>
}

const byId = <Row extends { id: string }>(list: Row[]) => new Map(list.map(row => [row.id, row]))

async function namesOf(ctx: Ctx): Promise<Names> {
  return {
    role: byId(await roles.list(ctx.db)),
    user: byId(await users.list(ctx.db)),
    group: byId(await groups.list(ctx.db)),
    project: byId(await projects.list(ctx.db)),
  }
}

/** A reference: the id, and with names also the name and the domain. */
function ref(names: Names | undefined, kind: keyof Names, id: string) {
  const row = names?.[kind].get(id)
  if (!names || !row) return { id }
  const domain = row.domain_id === null ? undefined : names.project.get(row.domain_id)
  return { id, name: row.name, ...(domain && { domain: { id: domain.id, name: domain.name } }) }
}

function grantPath(one: Effect): string {
  const actor = one.group_id ? `groups/${one.group_id}` : `${one.actor_type}s/${one.actor_id}`
  const role = `roles/${one.prior_role_id ?? one.role_id}`
  if (one.target_type === 'system') return `system/${actor}/${role}`
  const { type, id } = one.from ?? { type: one.target_type, id: one.target_id }
  const path = `${type}s/${id}/${actor}/${role}`
  return one.inherited ? `OS-INHERIT/${path}/inherited_to_projects` : path
}

function view(ctx: Ctx, one: Effect, names: Names | undefined) {
  const at = (path: string) => `${ctx.base}/identity/v3/${path}`
  const target =
    one.target_type === 'system'
      ? { system: { all: true } }
      : { [one.target_type]: ref(names, 'project', one.target_id) }
  return {
    role: ref(names, 'role', one.role_id),
    [one.actor_type]: ref(names, one.actor_type, one.actor_id),
    scope: { ...target, ...(one.inherited && { 'OS-INHERIT:inherited_to': 'projects' }) },
    links: {
      assignment: at(grantPath(one)),
      ...(one.group_id && { membership: at(`groups/${one.group_id}/users/${one.actor_id}`) }),
      ...(one.prior_role_id && { prior_role: at(`roles/${one.prior_role_id}/implies/${one.role_id}`) }),
    },
  }
}

export const listRoleAssignments = operation({
  id: 'identity.role_assignments.list',
  method: 'GET',
  path: '/v3/role_assignments',
  summary: 'List role assignments',
  response: listOf(
    'role_assignments',
    Type.Object({ role: named, scope: Type.Unknown(), user: Type.Optional(named), group: Type.Optional(named) }),
  ),
  policy: identityRule(
    'list_role_assignments',
    `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.domain_id)s)`,
    allScopes,
  ),
  query,
  load: async ctx => ({ 'target.domain_id': ctx.identity.domain_id }),
  async handle(ctx, { query: asked, url }) {
    checkQuery(asked)
    const found = await withinDomain(ctx, await collect(ctx, asked))
    const names = flag(asked.include_names) ? await namesOf(ctx) : undefined
    return { role_assignments: found.map(one => view(ctx, one, names)), links: collectionOf(ctx, url) }
  },
})

/** A domain's reader sees what is on the domain and its projects. */
async function withinDomain(ctx: Ctx, found: Effect[]): Promise<Effect[]> {
  const { domain_id } = ctx.identity
  if (domain_id === undefined) return found
  const own = new Set([domain_id, ...(await projects.list(ctx.db, { domain_id })).map(project => project.id)])
  return found.filter(one => own.has(one.target_id))
}

export const treeRule = identityRule(
  'list_role_assignments_for_tree',
  `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.domain_id)s)`,
  allScopes,
)
