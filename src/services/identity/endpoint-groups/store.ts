/** Groups of endpoints by what they have in common, and which endpoints a project is held to. */
import { rows } from '#kernel/db/rows.ts'

export interface EndpointGroupRow {
  id: string
  name: string
  description: string | null
  /** Of `service_id`, `region_id` and `interface`, what its endpoints have. */
  filters: Record<string, unknown>
  extra: Record<string, unknown>
}

export interface ProjectEndpoint {
  project_id: string
  endpoint_id: string
}

export interface ProjectEndpointGroup {
  project_id: string
  endpoint_group_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_endpoint_groups: EndpointGroupRow
    identity_project_endpoints: ProjectEndpoint
    identity_project_endpoint_groups: ProjectEndpointGroup
  }
}

export const endpointGroups = rows<EndpointGroupRow>('identity_endpoint_groups', { json: ['filters', 'extra'] })
export const projectEndpoints = rows<ProjectEndpoint>('identity_project_endpoints')
export const projectEndpointGroups = rows<ProjectEndpointGroup>('identity_project_endpoint_groups')
