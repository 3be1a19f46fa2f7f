/** Lists in the network API's dialect: filters, `fields`, sorting, paging by marker, links to the next page. */
import type { Expression, SqlBool } from 'kysely'
import type { Ctx } from './context.ts'
import type { AnyBuilder, ListOptions, Match, Rows, Where } from './db/rows.ts'
import { BadRequest } from './errors.ts'
import type { Attribute, StandardRow } from './resource.ts'

type Query = Record<string, string | string[]>

export interface ListSpec<Row> {
  collection: string
  path: string
  store: Rows<Row>
  /** Columns of the row that may be filtered and sorted by in SQL; other attributes are filtered after the view is made. */
  columns: (keyof Row & string)[]
  /** Filters that are not a plain comparison with a column; what they return is added to the query. */
  filters?: Record<string, (ctx: Ctx, eb: AnyBuilder, values: string[]) => Expression<SqlBool>>
  visible?: (ctx: Ctx, eb: AnyBuilder) => Expression<SqlBool>
}

interface ListRun<Row> extends ListSpec<Row> {
  attributes: Record<string, Attribute>
  seesAll: boolean
  view: (ctx: Ctx, rows: Row[]) => Promise<Record<string, unknown>[]>
}

const control = new Set(['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse'])
const maxLimit = 1000

const listOf = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat())

/** Keeps only the members that `fields` names. */
export function selectFields(item: Record<string, unknown>, query: Query): Record<string, unknown> {
  const fields = listOf(query.fields).filter(Boolean)
  if (fields.length === 0) return item
  return Object.fromEntries(fields.filter(name => name in item).map(name => [name, item[name]]))
}

/** A filter's text as the column's value: the schema says whether it is a boolean, a number or text. */
function typed(attribute: Attribute, text: string): string | number | boolean | null {
  const schema = JSON.stringify(attribute.schema)
  if (schema.includes('"boolean"')) return /^(true|1|yes|on)$/i.test(text)
  if (/"(integer|number)"/.test(schema) && /^-?\d+$/.test(text)) return Number(text)
  if (text === '' && schema.includes('"null"')) return null
  return text
}

export async function listRows<Row extends StandardRow>(
  ctx: Ctx,
  run: ListRun<Row>,
  query: Query,
  url: string,
): Promise<Record<string, unknown>> {
  const columns = new Set<string>(run.columns)
  const where: Record<string, Match> = {}
  const extra: ((eb: AnyBuilder) => Expression<SqlBool>)[] = []
  const after: { name: string; values: string[] }[] = []
  for (const [key, value] of Object.entries(query)) {
    if (control.has(key)) continue
    const name = key === 'tenant_id' ? 'project_id' : key
    const values = listOf(value)
    const custom = run.filters?.[name]
    const attribute = run.attributes[name]
    if (custom) extra.push(eb => custom(ctx, eb, values))
    else if (!attribute || attribute.visible === false)
      throw new BadRequest(`['${key}'] is invalid attribute for filtering`, { type: 'HTTPBadRequest' })
    else if (columns.has(name)) {
      const wanted = values.map(text => typed(attribute, text))
      where[name] = wanted.length === 1 ? wanted[0]! : (wanted as string[])
    } else after.push({ name, values })
  }
  if (!run.seesAll) extra.push(eb => run.visible?.(ctx, eb) ?? eb('project_id', '=', ctx.identity.project_id ?? ''))

  const orderBy = sorting<Row>(query, columns)
  const limit = limitOf(query)
  const reverse = /^(true|1)$/i.test(String(query.page_reverse ?? ''))
  const marker = listOf(query.marker)[0]
  const options: ListOptions<Row> = { orderBy }
  if (extra.length > 0) options.also = eb => eb.and(extra.map(make => make(eb)))
  if (marker) {
    const row = await run.store.find(ctx.db, { id: marker } as Where<Row>)
    if (!row)
      throw new BadRequest(`Invalid input for operation: The marker ${marker} could not be found.`, {
        type: 'InvalidInput',
      })
    if (reverse) options.before = row
    else options.after = row
  }
  // Without an SQL filter for everything the limit has to be taken after the view.
  if (limit !== undefined && after.length === 0) options.limit = limit + 1
  const rows = await run.store.list(ctx.db, where as Where<Row>, options)
  const extraRow = limit !== undefined && rows.length > limit
  const page = extraRow ? (reverse ? rows.slice(1) : rows.slice(0, limit)) : rows
  let items = await run.view(ctx, page)
  for (const { name, values } of after) items = items.filter(item => matches(item[name], values))
  const answer: Record<string, unknown> = { [run.collection]: items.map(item => selectFields(item, query)) }
  const links = pageLinks(ctx, url, { limit, marker, extraRow, page, reverse })
  if (links.length > 0) answer[`${run.collection}_links`] = links
  return answer
}

function matches(value: unknown, wanted: string[]): boolean {
  if (Array.isArray(value)) return wanted.some(w => value.some(v => String(v) === w))
  if (typeof value === 'boolean') return wanted.some(w => /^(true|1)$/i.test(w) === value)
  return wanted.includes(String(value ?? ''))
}

function sorting<Row extends StandardRow>(
  query: Query,
  columns: Set<string>,
): { column: keyof Row & string; direction: 'asc' | 'desc' }[] {
  const keys = listOf(query.sort_key).flatMap(k => k.split(','))
  const directions = listOf(query.sort_dir).flatMap(d => d.split(','))
  const orderBy: { column: keyof Row & string; direction: 'asc' | 'desc' }[] = keys.map((key, i) => {
    const name = key === 'tenant_id' ? 'project_id' : key
    if (!columns.has(name)) throw new BadRequest(`${key} is invalid attribute for sort_key`, { type: 'HTTPBadRequest' })
    const direction = directions[i] ?? 'asc'
    if (direction !== 'asc' && direction !== 'desc')
      throw new BadRequest(`${direction} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`, {
        type: 'HTTPBadRequest',
      })
    return { column: name as keyof Row & string, direction }
  })
  if (!orderBy.some(o => o.column === 'id')) orderBy.push({ column: 'id' as keyof Row & string, direction: 'asc' })
  return orderBy
}

function limitOf(query: Query): number | undefined {
  const text = listOf(query.limit)[0]
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text))
    throw new BadRequest(`Bad limit '${text}': must be an integer of 0 or more`, { type: 'HTTPBadRequest' })
  const value = Number(text)
  return value === 0 ? undefined : Math.min(value, maxLimit)
}

interface Page {
  limit: number | undefined
  marker: string | undefined
  extraRow: boolean
  page: { id: string }[]
  reverse: boolean
}

function pageLinks(
  ctx: Ctx,
  url: string,
  { limit, marker, extraRow, page, reverse }: Page,
): { rel: string; href: string }[] {
  if (limit === undefined || page.length === 0) return []
  const link = (rel: 'next' | 'previous', id: string) => {
    const to = new URL(url, ctx.base)
    to.searchParams.set('marker', id)
    if (rel === 'previous') to.searchParams.set('page_reverse', 'True')
    else to.searchParams.delete('page_reverse')
    return { rel, href: to.href }
  }
  const links = []
  if (reverse ? marker : extraRow) links.push(link('next', page.at(-1)!.id))
  if (reverse ? extraRow : marker) links.push(link('previous', page[0]!.id))
  return links
}
