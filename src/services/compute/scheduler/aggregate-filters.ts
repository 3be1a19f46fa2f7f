/** Rules that operators write as metadata of aggregates. A value may be a list with commas; those of all of a host's aggregates count. */
import { satisfies } from './extra-specs.ts'
import type { Filter } from './filters.ts'
import type { HostState } from './scheduler.ts'

/** All values of a key, singly. */
export function aggregateValues(host: HostState, key: string): string[] {
  return (host.aggregate_metadata[key] ?? []).flatMap(value => value.split(',').map(part => part.trim()))
}

export const aggregateInstanceExtraSpecsFilter: Filter = (host, { extra_specs }) => {
  for (const [key, wanted] of Object.entries(extra_specs)) {
    const name = /^aggregate_instance_extra_specs:(.+)$/.exec(key)?.[1]
    if (!name) continue
    const had = aggregateValues(host, name)
    if (!had.some(value => satisfies(value, wanted))) {
      return { asked: `an aggregate with ${name} ${wanted}`, had: had.join(', ') || 'none' }
    }
  }
  return undefined
}

/** Where an aggregate names a property of images, only images that say the same, or nothing, are taken. */
export const aggregateImagePropertiesIsolation: Filter = (host, { image_properties }) => {
  for (const key of Object.keys(host.aggregate_metadata)) {
    const wanted = image_properties[key]
    if (!wanted) continue
    const had = aggregateValues(host, key)
    if (!had.includes(wanted)) return { asked: `${key} ${wanted}`, had: had.join(', ') }
  }
  return undefined
}

/** Aggregates with `filter_tenant_id`, or a key that begins so, are for those projects only. */
export const aggregateMultiTenancyIsolation: Filter = (host, { project_id }) => {
  const keys = Object.keys(host.aggregate_metadata).filter(key => key.startsWith('filter_tenant_id'))
  if (keys.length === 0) return undefined
  const projects = keys.flatMap(key => aggregateValues(host, key))
  return projects.includes(project_id)
    ? undefined
    : { asked: `a host for project ${project_id}`, had: 'a host for other projects' }
}

/** Aggregates with `instance_type` are for flavors of these names only. */
export const aggregateTypeAffinityFilter: Filter = (host, { flavor }) => {
  const had = aggregateValues(host, 'instance_type')
  return had.length === 0 || had.includes(flavor)
    ? undefined
    : { asked: `a host for flavor ${flavor}`, had: had.join(', ') }
}
