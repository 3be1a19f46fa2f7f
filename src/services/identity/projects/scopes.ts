/** Where a user may go: the projects, domains and system that its roles reach. */
import type { Ctx } from '#kernel/context.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { domainAnswer, listOf, projectAnswer } from '../answers.ts'
import { ancestors, reachesProject } from '../assignments/assignment.ts'
import { type Assignment, assignmentsOfUser } from '../assignments/store.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { identityRule } from '../policy.ts'
import { domainView, projectView } from './project.ts'
import { type ProjectRow, projects } from './store.ts'

/** The enabled projects that the assignments reach, those inherited included. */
export async function projectsOfUser(ctx: Ctx, all: readonly Assignment[]): Promise<ProjectRow[]> {
  const inherits = all.some(assignment => assignment.inherited)
  const direct = all.filter(a => a.target_type === 'project' && !a.inherited).map(a => a.target_id)
  const domains = all.filter(a => a.target_type === 'domain' && a.inherited).map(a => a.target_id)
  const where = { enabled: true, is_domain: false }
  const order = { orderBy: [{ column: 'id' as const, direction: 'asc' as const }] }
  if (!inherits) return projects.list(ctx.db, { ...where, id: direct }, order)
  // Inherited roles reach whole trees: look at the projects of the domains concerned only.
  const roots = all.filter(a => a.target_type === 'project' && a.inherited).map(a => a.target_id)
  const rootDomains = (await projects.list(ctx.db, { id: roots })).map(project => project.domain_id ?? project.id)
  const candidates = await projects.list(ctx.db, where, {
    ...order,
    also: eb => eb.or([eb('domain_id', 'in', ['', ...domains, ...rootDomains]), eb('id', 'in', ['', ...direct])]),
  })
  const reached: ProjectRow[] = []
  for (const project of candidates) {
    const above = await ancestors(ctx, project)
    if (all.some(assignment => reachesProject(assignment, project.id, above))) reached.push(project)
  }
  return reached
}

export const authProjects = operation({
  id: 'identity.auth.projects',
  method: 'GET',
  path: '/v3/auth/projects',
  summary: 'List the projects that the token may be scoped to',
  response: listOf('projects', projectAnswer),
  policy: identityRule('get_auth_projects', ''),
  async handle(ctx, { url }) {
    const found = await projectsOfUser(ctx, await assignmentsOfUser(ctx.db, ctx.identity.user_id, ctx.clock.now()))
    return { projects: found.map(project => projectView(ctx, project)), links: collectionOf(ctx, url) }
  },
})

export const authDomains = operation({
  id: 'identity.auth.domains',
  method: 'GET',
  path: '/v3/auth/domains',
  summary: 'List the domains that the token may be scoped to',
  response: listOf('domains', domainAnswer),
  policy: identityRule('get_auth_domains', ''),
  async handle(ctx, { url }) {
    const all = await assignmentsOfUser(ctx.db, ctx.identity.user_id, ctx.clock.now())
    const ids = all.filter(a => a.target_type === 'domain' && !a.inherited).map(a => a.target_id)
    const found = await projects.list(ctx.db, { id: ids, is_domain: true, enabled: true })
    return { domains: found.map(domain => domainView(ctx, domain)), links: collectionOf(ctx, url) }
  },
})

export const authSystem = operation({
  id: 'identity.auth.system',
  method: 'GET',
  path: '/v3/auth/system',
  summary: 'Say whether the token may be scoped to the system',
  response: listOf('system', Type.Object({ all: Type.Boolean() })),
  policy: identityRule('get_auth_system', ''),
  async handle(ctx) {
    const all = await assignmentsOfUser(ctx.db, ctx.identity.user_id, ctx.clock.now())
    const has = all.some(assignment => assignment.target_type === 'system')
    return { system: has ? [{ all: true }] : [], links: linkTo(ctx, 'auth/system') }
  },
})

/** The same lists under the paths that federated users knew first. */
export const federatedScopes: Operation[] = [
  { ...authProjects, id: 'identity.federation.projects', path: '/v3/OS-FEDERATION/projects' },
  { ...authDomains, id: 'identity.federation.domains', path: '/v3/OS-FEDERATION/domains' },
]
