/** Filters of server lists that ask for what is in one column: a value, a number, a flag, or text that a pattern is found in. */
import type { Expression, SqlBool } from 'kysely'
import type { AnyBuilder } from '#kernel/db/rows.ts'
import { BadRequest } from '#kernel/errors.ts'
import { booleanOf } from '../dialect.ts'
import { likeCondition, matcher } from '../name-pattern.ts'
import type { ServerRow } from './server.ts'

/** What filters ask of the rows. */
export interface Conditions {
  also: ((eb: AnyBuilder) => Expression<SqlBool>)[]
  /** What the database cannot tell: a row is listed when all of these hold. */
  checks: ((row: ServerRow) => boolean)[]
}

interface ColumnFilter {
  column: keyof ServerRow & string
  /** `text`: part of the value, as a pattern. */
  as?: 'text' | 'number' | 'flag'
}

export const columnFilters: Record<string, ColumnFilter> = {
  user_id: { column: 'user_id' },
  project_id: { column: 'project_id' },
  tenant_id: { column: 'project_id' },
  launch_index: { column: 'launch_index', as: 'number' },
  image: { column: 'image_ref' },
  image_ref: { column: 'image_ref' },
  hostname: { column: 'hostname', as: 'text' },
  key_name: { column: 'key_name', as: 'text' },
  power_state: { column: 'power_state', as: 'number' },
  vm_state: { column: 'vm_state' },
  task_state: { column: 'task_state' },
  host: { column: 'host' },
  node: { column: 'node', as: 'text' },
  flavor: { column: 'flavor_id' },
  reservation_id: { column: 'reservation_id', as: 'text' },
  availability_zone: { column: 'availability_zone', as: 'text' },
  name: { column: 'display_name', as: 'text' },
  display_name: { column: 'display_name', as: 'text' },
  description: { column: 'display_description', as: 'text' },
  display_description: { column: 'display_description', as: 'text' },
  locked_by: { column: 'locked_by', as: 'text' },
  uuid: { column: 'id' },
  root_device_name: { column: 'root_device_name', as: 'text' },
  access_ip_v4: { column: 'access_ip_v4', as: 'text' },
  access_ip_v6: { column: 'access_ip_v6', as: 'text' },
  config_drive: { column: 'config_drive', as: 'flag' },
  progress: { column: 'progress', as: 'number' },
  created_at: { column: 'created_at', as: 'text' },
  launched_at: { column: 'launched_at', as: 'text' },
}

export function addColumnFilter(request: Conditions, name: string, values: string[]): void {
  const filter = Object.hasOwn(columnFilters, name) ? columnFilters[name] : undefined
  if (!filter || values.length === 0) return
  const { column, as } = filter
  if (as === 'text') addPatterns(request, column, values)
  else if (as === 'flag')
    request.also.push(eb =>
      eb(
        column,
        'in',
        values.map(value => (booleanOf(value) ? 1 : 0)),
      ),
    )
  else if (as === 'number') request.also.push(eb => eb(column, 'in', values.map(Number)))
  else
    request.also.push(eb =>
      eb.or(values.map(value => (value === 'None' ? eb(column, 'is', null) : eb(column, '=', value)))),
    )
}

/** No text that is searched is longer. */
const longestPattern = 255

function addPatterns(request: Conditions, column: ColumnFilter['column'], patterns: string[]): void {
  if (patterns.some(pattern => pattern.length > longestPattern))
    throw new BadRequest(`A filter by text may have ${longestPattern} characters.`)
  request.also.push(eb => eb.and(patterns.map(pattern => likeCondition(eb, column, pattern))))
  for (const pattern of patterns) {
    const matches = matcher(pattern)
    if (matches) request.checks.push(row => matches(String(row[column] ?? '')))
  }
}
