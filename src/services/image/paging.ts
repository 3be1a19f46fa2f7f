/** What the lists of the image API have in common: how a query says order and page, where the other pages are, how a schema tells of it. Pure. */
import { BadRequest } from '#kernel/errors.ts'

export type Query = Record<string, string | string[]>
export type Direction = 'asc' | 'desc'

/** Of a parameter that is given several times the last counts. */
export const last = (value: string | string[] | undefined): string | undefined => [value ?? []].flat().at(-1)

export function sortKey<Column extends string>(key: string, sortable: readonly Column[]): Column {
  const found = sortable.find(name => name === key)
  if (found) return found
  throw new BadRequest(`Unsupported sort key: ${key}. Acceptable sort keys are the following: ${sortable.join(', ')}`)
}

export function sortDirection(direction: string): Direction {
  if (direction === 'asc' || direction === 'desc') return direction
  throw new BadRequest(`Invalid sort direction: ${direction}`)
}

/** The order by one key, completed so that no two rows are equal in it. */
export function orderOf<Column extends string>(query: Query, sortable: readonly Column[]) {
  const column = sortKey(last(query.sort_key) ?? 'created_at', sortable)
  const direction = sortDirection(last(query.sort_dir) ?? 'desc')
  const columns = [...new Set([column, 'created_at' as Column, 'id' as Column])]
  return columns.map(name => ({ column: name, direction }))
}

const maxLimit = 1000
/** How many the lists give that are never given whole. */
export const pageSize = 25

/** Undefined when none is asked for. */
export function limitOf({ limit }: Query): number | undefined {
  const text = last(limit)
  if (text === undefined) return undefined
  if (!/^-?\d+$/.test(text)) throw new BadRequest('limit param must be an integer')
  if (text.startsWith('-')) throw new BadRequest('limit param must be positive')
  return Math.min(Number(text), maxLimit)
}

/** The addresses of the first page and, when this one is full, of the next. `markers` are those of what is on this page. */
export function linksOf(path: string, query: Query, limit: number, markers: readonly string[]) {
  const marker = markers.length === limit ? markers.at(-1) : undefined
  return { first: linkTo(path, query), ...(marker !== undefined && { next: linkTo(path, query, marker) }) }
}

function linkTo(path: string, query: Query, marker?: string): string {
  const parameters = Object.entries(query)
    .filter(([name]) => name !== 'marker')
    .flatMap(([name, values]) => [values].flat().map(value => [name, value]))
  if (marker !== undefined) parameters.push(['marker', marker])
  const text = new URLSearchParams(parameters).toString()
  return text === '' ? path : `${path}?${text}`
}

/** The schema of a list in pages, as clients ask for it. */
export function listDocument(name: string, items: Record<string, unknown>) {
  const word = { type: 'string' }
  return {
    name,
    properties: { [name]: items, first: word, next: word, schema: word },
    links: [
      { rel: 'first', href: '{first}' },
      { rel: 'next', href: '{next}' },
      { rel: 'describedby', href: '{schema}' },
    ],
  }
}
