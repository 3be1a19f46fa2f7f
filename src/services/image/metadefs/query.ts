/** The query of a list of metadata definitions: order, page, filters. Pure. */
import { BadRequest } from '#kernel/errors.ts'

export type Query = Record<string, string | string[]>
type Direction = 'asc' | 'desc'

export const last = (value: string | string[] | undefined): string | undefined => [value ?? []].flat().at(-1)

/** The order asked for, completed so that no two rows are equal in it. */
export function orderOf<Column extends string>(query: Query, sortable: readonly Column[]) {
  const key = last(query.sort_key) ?? 'created_at'
  const column = sortable.find(name => name === key)
  if (!column)
    throw new BadRequest(`Unsupported sort key: ${key}. Acceptable sort keys are the following: ${sortable.join(', ')}`)
  const direction = last(query.sort_dir) ?? 'desc'
  if (direction !== 'asc' && direction !== 'desc') throw new BadRequest(`Invalid sort direction: ${direction}`)
  const columns = [...new Set([column, 'created_at' as Column, 'id' as Column])]
  return columns.map(name => ({ column: name, direction: direction as Direction }))
}

/** Undefined when none is asked for; never more than 1000. */
export function limitOf(query: Query): number | undefined {
  const text = last(query.limit)
  if (text === undefined) return undefined
  if (!/^-?\d+$/.test(text)) throw new BadRequest('limit param must be an integer')
  if (text.startsWith('-')) throw new BadRequest('limit param must be positive')
  return Math.min(Number(text), 1000)
}

export function visibilityOf(query: Query): string | undefined {
  const given = last(query.visibility)
  if (given !== undefined && given !== '' && given !== 'public' && given !== 'private')
    throw new BadRequest(`Invalid visibility value: ${given}`)
  return given || undefined
}

export function linkTo(path: string, query: Query, marker?: string): string {
  const parameters = Object.entries(query)
    .filter(([name]) => name !== 'marker')
    .flatMap(([name, values]) => [values].flat().map(value => [name, value]))
  if (marker !== undefined) parameters.push(['marker', marker])
  const text = new URLSearchParams(parameters).toString()
  return text === '' ? path : `${path}?${text}`
}
