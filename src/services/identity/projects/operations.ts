/** Projects: the five operations, with their hierarchy. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Forbidden } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listOf, projectAnswer } from '../answers.ts'
import { ancestors } from '../assignments/assignment.ts'
import { assignmentsOfUser } from '../assignments/store.ts'
import { removeDomain } from '../domains/domain.ts'
import { notFound } from '../faults.ts'
import { modelOf } from '../limits/limit.ts'
import { collectionOf, first, inexact, isYes } from '../listing.ts'
import { projectOptions } from '../options.ts'
import { adminRequired, allScopes, identityRule, systemReader } from '../policy.ts'
import { resource, type Values } from '../resource.ts'
import { announce } from '../revocations/revocation.ts'
import { users } from '../users/store.ts'
import { hierarchyOf } from './hierarchy.ts'
import { blankProject, descendants, findDomain, projectTarget, projectView, removeProjectTraces } from './project.ts'
import { projectsOfUser } from './scopes.ts'
import { type ProjectRow, projects } from './store.ts'
import { tagSchema, tagsMatch } from './tags.ts'

/** How many projects may be in a line from a domain down. */
function deepest(ctx: Ctx): number {
  return modelOf(ctx).name === 'strict_two_level' ? 1 : 5
}

export const projectReader = `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.project.domain_id)s) or project_id:%(target.project.id)s`
export const projectManager = `${adminRequired} or (role:manager and domain_id:%(target.project.domain_id)s)`

/** Where a new project goes: its domain and what is above it. */
async function placeOf(ctx: Ctx, values: Values): Promise<{ domain_id: string; parent_id: string }> {
  if (typeof values.parent_id !== 'string') {
    const domain = await findDomain(ctx, String(values.domain_id))
    return { domain_id: domain.id, parent_id: domain.id }
  }
  const parent = await projects.find(ctx.db, { id: values.parent_id })
  if (!parent) throw notFound('project', values.parent_id)
  if (!parent.enabled) throw new Forbidden(`Parent project is disabled: ${parent.id}`)
  const domain_id = parent.domain_id ?? parent.id
  if (values.domain_id !== domain_id) {
    throw new BadRequest(`Parent project is not within domain ${values.domain_id}: choose a parent of the same domain.`)
  }
  if ((await ancestors(ctx, parent)).length + 1 > deepest(ctx)) {
    throw new Forbidden(`Max hierarchy depth reached for ${parent.id} branch.`)
  }
  return { domain_id, parent_id: parent.id }
}

export const projectResource = resource<ProjectRow>({
  member: 'project',
  collection: 'projects',
  store: projects,
  attributes: {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    domain_id: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
    parent_id: Type.Union([Type.String({ maxLength: 64 }), Type.Null()]),
    is_domain: Type.Boolean(),
    enabled: Type.Boolean(),
    description: Type.Union([Type.String(), Type.Null()]),
    tags: Type.Array(tagSchema, { maxItems: 80, uniqueItems: true }),
    options: projectOptions,
  },
  required: ['name'],
  fixed: ['domain_id', 'parent_id', 'is_domain'],
  filters: ['name', 'domain_id', 'parent_id'],
  policy: {
    get: projectReader,
    list: `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.domain_id)s)`,
    create: projectManager,
    update: projectManager,
    delete: projectManager,
  },
  target: projectTarget,
  listed: ctx => (ctx.identity.domain_id ? { domain_id: ctx.identity.domain_id } : {}),
  keep: (query, row) =>
    row.is_domain === isYes(first(query.is_domain as string | undefined) ?? 'false') && tagsMatch(query, row.tags),
  view: projectView,
  more: (ctx, row, query): Promise<object> => hierarchyOf(ctx, row, query, projectResource.rules.get),
  duplicate: values =>
    `it is not permitted to have two projects with the same name in the same domain : ${values.name}`,

  async create(ctx, values, extra) {
    const { is_domain, ...sent } = values
    const place = is_domain === true ? { domain_id: null, parent_id: null } : await placeOf(ctx, sent)
    const row: ProjectRow = {
      ...blankProject,
      ...(sent as Partial<ProjectRow>),
      id: ctx.ids.hex(),
      name: String(values.name),
      description: String(values.description ?? ''),
      is_domain: is_domain === true,
      ...place,
      extra,
    }
    await projects.insert(ctx.db, row)
    return row
  },

  async update(ctx, row, patch, generation) {
    const closes = patch.enabled === false && row.enabled
    const above = patch.enabled === true ? await projects.find(ctx.db, { id: row.parent_id ?? '' }) : undefined
    if (above && !above.enabled) throw new Forbidden(`Cannot enable project ${row.id} since it has disabled parents`)
    if (closes && (await descendants(ctx, row.id)).some(project => project.enabled)) {
      throw new Forbidden(`Cannot disable project ${row.id} since its subtree contains enabled projects.`)
    }
    if (closes) await announce(ctx, { project_id: row.id })
    return {
      ...(patch as Partial<ProjectRow>),
      ...(patch.description === null && { description: '' }),
      ...(closes && { tokens_after: generation }),
    }
  },

  async remove(ctx, row) {
    if (row.is_domain) return removeDomain(ctx, row)
    if (await projects.find(ctx.db, { parent_id: row.id })) {
      throw new Forbidden(
        `Cannot delete the project ${row.id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`,
      )
    }
    await removeProjectTraces(ctx, row)
  },
})

export const listProjectsOfUser = operation({
  id: 'identity.users.list_projects',
  method: 'GET',
  path: '/v3/users/{user_id}/projects',
  summary: 'List the projects of a user',
  response: listOf('projects', projectAnswer),
  policy: identityRule(
    'list_user_projects',
    `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s`,
    allScopes,
  ),
  async load(ctx, { params }) {
    const user = await users.find(ctx.db, { id: params.user_id })
    if (!user) throw notFound('user', params.user_id)
    return { 'target.user.id': user.id, 'target.user.domain_id': user.domain_id }
  },
  async handle(ctx, { params, query, url }) {
    const all = await projectsOfUser(ctx, await assignmentsOfUser(ctx.db, params.user_id, ctx.clock.now()))
    const shown = inexact(query, all, ['name']).map(project => projectView(ctx, project))
    return { projects: shown, links: collectionOf(ctx, url) }
  },
})
