/** Which endpoints a project is held to. */
import type { Ctx } from '#kernel/context.ts'
import { type EndpointRow, endpoints } from '../catalog/store.ts'
import { perGeneration } from '../revocations/revocation.ts'
import { type EndpointGroupRow, endpointGroups, projectEndpointGroups, projectEndpoints } from './store.ts'

export function inGroup({ filters }: EndpointGroupRow, endpoint: EndpointRow): boolean {
  return Object.entries(filters).every(([name, value]) => endpoint[name as keyof EndpointRow] === value)
}

const idsByProject = perGeneration(async (ctx): Promise<Map<string, Set<string>>> => {
  const found = new Map<string, Set<string>>()
  const add = (project: string, endpoint: string) => {
    const known = found.get(project)
    if (known) known.add(endpoint)
    else found.set(project, new Set([endpoint]))
  }
  for (const { project_id, endpoint_id } of await projectEndpoints.list(ctx.db)) add(project_id, endpoint_id)
  const ofGroups = await projectEndpointGroups.list(ctx.db)
  if (ofGroups.length === 0) return found
  const groups = new Map((await endpointGroups.list(ctx.db)).map(group => [group.id, group]))
  const all = await endpoints.list(ctx.db)
  for (const { project_id, endpoint_group_id } of ofGroups) {
    const group = groups.get(endpoint_group_id)
    if (group) for (const endpoint of all) if (inGroup(group, endpoint)) add(project_id, endpoint.id)
  }
  return found
})

/** Ids of the endpoints that the project's catalog is held to; undefined: it has all. */
export async function endpointsOfProject(ctx: Ctx, projectId: string): Promise<ReadonlySet<string> | undefined> {
  return (await idsByProject(ctx)).get(projectId)
}
