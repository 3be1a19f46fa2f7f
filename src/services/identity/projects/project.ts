/** Projects and domains as the API shows them, and what removing them means. */
import type { Ctx } from '#kernel/context.ts'
import { applicationCredentials } from '../application-credentials/store.ts'
import { assignments } from '../assignments/store.ts'
import { accessTokens, requestTokens } from '../consumers/store.ts'
import { projectEndpointGroups, projectEndpoints } from '../endpoint-groups/store.ts'
import { notFound } from '../faults.ts'
import { limits } from '../limits/store.ts'
import { linkTo } from '../listing.ts'
import { announce } from '../revocations/revocation.ts'
import { trusts } from '../trusts/store.ts'
import { users } from '../users/store.ts'
import { type ProjectRow, projects } from './store.ts'

/** Everything of a new project that nobody said. */
export const blankProject = { enabled: true, description: '', tags: [], options: {}, tokens_after: 0 }

export function projectView(ctx: Ctx, row: ProjectRow) {
  const { extra, id, name, domain_id, description, enabled, parent_id, is_domain, tags, options } = row
  const links = linkTo(ctx, `projects/${id}`)
  return { ...extra, id, name, domain_id, description, enabled, parent_id, is_domain, tags, options, links }
}

export function domainView(ctx: Ctx, row: ProjectRow) {
  const { extra, id, name, description, enabled, tags, options } = row
  return { ...extra, id, name, description, enabled, tags, options, links: linkTo(ctx, `domains/${id}`) }
}

/** Policy targets of a project. */
export function projectTarget(row: Partial<ProjectRow>) {
  return { 'target.project.id': row.id, 'target.project.domain_id': row.domain_id }
}

export async function findProject(ctx: Ctx, id: string): Promise<ProjectRow> {
  const row = await projects.find(ctx.db, { id })
  if (!row) throw notFound('project', id)
  return row
}

export async function findDomain(ctx: Ctx, id: string): Promise<ProjectRow> {
  const row = await projects.find(ctx.db, { id, is_domain: true })
  if (!row) throw notFound('domain', id)
  return row
}

/** The projects below, nearest first. */
export async function descendants(ctx: Ctx, id: string): Promise<ProjectRow[]> {
  const found: ProjectRow[] = []
  let level = [id]
  while (level.length > 0) {
    const below = await projects.list(ctx.db, { parent_id: level })
    found.push(...below)
    level = below.map(project => project.id)
  }
  return found
}

/** What hangs on a project. */
export async function removeProjectTraces(ctx: Ctx, { id }: { id: string }): Promise<void> {
  await announce(ctx, { project_id: id })
  await assignments.remove(ctx.db, { target_type: 'project', target_id: id })
  await applicationCredentials.remove(ctx.db, { project_id: id })
  await trusts.remove(ctx.db, { project_id: id })
  await requestTokens.remove(ctx.db, { project_id: id })
  await accessTokens.remove(ctx.db, { project_id: id })
  await projectEndpoints.remove(ctx.db, { project_id: id })
  await projectEndpointGroups.remove(ctx.db, { project_id: id })
  await limits.remove(ctx.db, { project_id: id })
  await users.update(ctx.db, { default_project_id: id }, { default_project_id: null })
}
