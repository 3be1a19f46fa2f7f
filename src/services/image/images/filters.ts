/** The query of a list of images, read and checked: filters, sort order, page. Pure. */
import { BadRequest } from '#kernel/errors.ts'
import { last, type Query, sortDirection, sortKey } from '../paging.ts'
import { attributes, baseAttribute, visibilities } from './attributes.ts'
import type { ImageRow } from './store.ts'

type Column = keyof ImageRow & string
export type Order = { column: Column; direction: 'asc' | 'desc' }[]

export interface Comparison {
  column: Column
  op: '=' | '!=' | '<' | '<=' | '>' | '>=' | 'in'
  value: string | number | boolean | null | string[]
}

/** What a list asks for, whoever asks. */
export interface Filters {
  comparisons: Comparison[]
  tags: string[]
  properties: Record<string, string>
  visibility: string | undefined
  memberStatus: string
}

const control = new Set(['limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'member_status', 'visibility', 'tag'])
const listed = new Set(['id', 'name', 'status', 'container_format', 'disk_format'])
const exact = new Set(['owner', 'checksum', 'os_hash_algo', 'os_hash_value'])
const numbers = new Set(['min_disk', 'min_ram', 'size', 'virtual_size'])
const operators = { eq: '=', neq: '!=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

export function filtersOf(query: Query): Filters {
  if ('changes-since' in query) throw new BadRequest('The "changes-since" filter is no longer available on v2.')
  const filters: Filters = {
    comparisons: [],
    tags: [query.tag ?? []].flat(),
    properties: {},
    visibility: choice(query.visibility, [...visibilities, 'all'], 'visibility'),
    memberStatus: choice(query.member_status, ['pending', 'accepted', 'rejected', 'all'], 'status') ?? 'accepted',
  }
  for (const [name, given] of Object.entries(query)) {
    if (control.has(name)) continue
    const compared = comparisonOf(name, last(given)!)
    if (compared) filters.comparisons.push(compared)
    else filters.properties[name] = last(given)!
  }
  if (!('os_hidden' in query)) filters.comparisons.push({ column: 'os_hidden', op: '=', value: false })
  return filters
}

function choice(given: string | string[] | undefined, known: string[], what: string): string | undefined {
  if (given === undefined) return undefined
  const value = last(given)!
  if (!known.includes(value))
    throw new BadRequest(what === 'visibility' ? `Invalid visibility value: ${value}` : `Invalid ${what}: ${value}`)
  return value
}

function comparisonOf(name: string, text: string): Comparison | undefined {
  if (listed.has(name)) {
    if (text.startsWith('in:')) return { column: name as Column, op: 'in', value: quotedList(text.slice(3)) }
    return { column: name as Column, op: '=', value: text }
  }
  if (name === baseAttribute) return { column: 'base_image_id', op: '=', value: text }
  if (exact.has(name)) return { column: name as Column, op: '=', value: text }
  if (name === 'protected' || name === 'os_hidden') return { column: name, op: '=', value: flag(name, text) }
  if (name === 'created_at' || name === 'updated_at') return timeComparison(name, text)
  if (name === 'size_min') return { column: 'size', op: '>=', value: wholeNumber(name, text) }
  if (name === 'size_max') return { column: 'size', op: '<=', value: wholeNumber(name, text) }
  if (numbers.has(name)) return { column: name as Column, op: '=', value: wholeNumber(name, text) }
  // What no query can filter by is nobody's property either.
  if (Object.hasOwn(attributes, name)) return { column: 'id', op: 'in', value: [] }
  return undefined
}

function flag(name: string, text: string): boolean {
  if (!/^(true|false)$/i.test(text))
    throw new BadRequest(`Invalid value '${text}' for '${name}' filter. Valid values are 'true' or 'false'`)
  return text.toLowerCase() === 'true'
}

function wholeNumber(name: string, text: string): number {
  const most = name.startsWith('min_') ? 2_147_483_647 : Number.MAX_SAFE_INTEGER
  if (!/^\d+$/.test(text) || Number(text) > most)
    throw new BadRequest(`Invalid value '${text}' for parameter '${name}': it must be a positive integer`)
  return Number(text)
}

/** `gt:2026-01-31T12:00:00Z`; without an operator it is equality. */
function timeComparison(column: 'created_at' | 'updated_at', text: string): Comparison {
  const [, operator = 'eq', time = ''] = /^(?:([a-z]+):)?(.*)$/.exec(text)!
  const op = operators[operator as keyof typeof operators]
  if (!op || !Object.hasOwn(operators, operator))
    throw new BadRequest(`Unable to filter by unknown operator '${operator}'.`)
  const at = /^\d{4}-\d{2}-\d{2}T/.test(time)
    ? Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(time) ? time : `${time}Z`)
    : Number.NaN
  if (Number.isNaN(at)) throw new BadRequest(`Invalid time '${time}' for '${column}' filter`)
  return { column, op, value: new Date(at).toISOString() }
}

/** `a,"b,c"` as two values. */
function quotedList(text: string): string[] {
  const wrong = () => new BadRequest(`Invalid filter value ${text}. There is no comma before opening quotation mark.`)
  const values: string[] = []
  for (let rest = text; rest !== ''; ) {
    const match = /^(?:"((?:[^"\\]|\\.)*)"|([^,"]*))(,|$)/.exec(rest)
    if (!match) throw wrong()
    values.push(match[1] !== undefined ? match[1].replaceAll(/\\(.)/g, '$1') : match[2]!)
    rest = rest.slice(match[0].length)
  }
  return values.slice(0, 200)
}

const sortable = [
  ...['name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'],
] as Column[]

/** The order asked for, completed so that no two images are equal in it. */
export function orderOf(query: Query): Order {
  const order = query.sort === undefined ? oldOrder(query) : newOrder(query)
  for (const column of ['created_at', 'id'] as const)
    if (!order.some(o => o.column === column)) order.push({ column, direction: 'desc' })
  return order
}

function newOrder({ sort, sort_key, sort_dir }: Query): Order {
  if (sort_key !== undefined || sort_dir !== undefined)
    throw new BadRequest('Old and new sorting syntax cannot be combined')
  return last(sort)!
    .split(',')
    .map(part => {
      const [key, direction = 'desc'] = part.trim().split(':') as [string, string?]
      return { column: sortKey(key, sortable), direction: sortDirection(direction) }
    })
}

function oldOrder({ sort_key, sort_dir }: Query): Order {
  const keys = [sort_key ?? 'created_at'].flat().map(key => sortKey(key, sortable))
  const directions = [sort_dir ?? []].flat().map(sortDirection)
  if (directions.length > 1 && directions.length !== keys.length)
    throw new BadRequest('Number of sort dirs does not match the number of sort keys')
  return keys.map((column, i) => ({ column, direction: directions[i] ?? directions[0] ?? 'desc' }))
}
