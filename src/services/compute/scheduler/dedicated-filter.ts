/** A host that one project has for itself takes no servers of others. */
import type { Filter } from './filters.ts'

export const dedicatedHostFilter: Filter = ({ dedicated_to }, { project_id }) =>
  dedicated_to === null || dedicated_to === project_id
    ? undefined
    : { asked: `a host for project ${project_id}`, had: 'a host of another project' }
