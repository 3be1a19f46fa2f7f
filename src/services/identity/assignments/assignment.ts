/** Which roles a user really has: by itself, by groups, and inherited from what is above a project. */
import type { Ctx } from '#kernel/context.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import type { TokenScope } from '../revocations/revocation.ts'
import { type Assignment, rolesOnTarget } from './store.ts'

/** The ids above a project, the domain included; nearest first. */
export async function ancestors(ctx: Ctx, project: ProjectRow): Promise<string[]> {
  const found: string[] = []
  let parent = project.parent_id
  while (parent !== null && !found.includes(parent)) {
    found.push(parent)
    if (parent === project.domain_id) break
    parent = (await projects.find(ctx.db, { id: parent }))?.parent_id ?? null
  }
  return found
}

/** Whether the assignment gives its role on a project with these ids above it. */
export function reachesProject(assignment: Assignment, projectId: string, above: readonly string[]): boolean {
  return assignment.inherited
    ? above.includes(assignment.target_id)
    : assignment.target_type === 'project' && assignment.target_id === projectId
}

/** Ids of the roles that the user has in the scope, implied ones not included. */
export async function rolesInScope(ctx: Ctx, userId: string, scope: TokenScope): Promise<string[]> {
  if (scope.type === 'unscoped') return []
  const target_id = scope.type === 'system' ? 'system' : scope.id
  return rolesOnTarget(ctx.db, userId, { target_type: scope.type, target_id }, ctx.clock.now())
}
