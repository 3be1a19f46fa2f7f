/** Lists in the network API's dialect: filters, `fields`, sorting, paging by marker, links to the next page. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Ctx } from './context.ts'
import type { AnyBuilder, ListOptions, Match, Rows, Where } from './db/rows.ts'
import { BadRequest } from './errors.ts'
import { type Attribute, type Attributes, badRequest } from './resource-attributes.ts'
import type { StandardRow } from './standard-row.ts'

export type Query = Record<string, string | string[]>

export interface ListSpec<Row> {
  collection: string
  path: string
  store: Rows<Row>
  /** Filters that are not a plain comparison with a column; what they return is added to the query. */
  filters?: Record<string, (ctx: Ctx, eb: AnyBuilder, values: string[]) => Expression<SqlBool>>
  /** What callers who do not see all may see, as a condition on the row; by default what belongs to their project. */
  visible?: (ctx: Ctx, eb: AnyBuilder) => Expression<SqlBool>
}

interface ListRun<Row> extends ListSpec<Row> {
  attributes: Attributes
  seesAll: boolean
  /** Attributes that the caller is not shown, and must not find things by either. */
  hidden: (name: string) => boolean
  /** The rows that policy lets the caller see. */
  permitted: (rows: Row[]) => Promise<Row[]>
  view: (ctx: Ctx, rows: Row[]) => Promise<Record<string, unknown>[]>
}

const control = new Set(['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse'])
const maxLimit = 1000

/** A member by a name that a client chose: those that every object inherits are none. */
const ownMember = <T>(map: Record<string, T>, name: string): T | undefined =>
  Object.hasOwn(map, name) ? map[name] : undefined

const listOf = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat())

/** Keeps only the members that `fields` names. */
export function selectFields(item: Record<string, unknown>, query: Query): Record<string, unknown> {
  const fields = listOf(query.fields).filter(Boolean)
  if (fields.length === 0) return item
  return Object.fromEntries(fields.filter(name => name in item).map(name => [name, item[name]]))
}

/** The column that an attribute is filtered and sorted by; undefined when it has none, or holds a list. */
function columnOf(name: string, attribute: Attribute | undefined): string | undefined {
  if (!attribute || attribute.visible === false || attribute.column === false) return undefined
  const { type } = attribute.schema as { type?: string }
  return type === 'array' || type === 'object' ? undefined : (attribute.column ?? name)
}

/** A filter's text as the column's value: the schema says whether it is a boolean, a number or text. None when no row can have it. */
function typed(attribute: Attribute, text: string): (string | number | boolean | null)[] {
  const schema = JSON.stringify(attribute.schema)
  if (schema.includes('"boolean"')) return [/^(true|1|yes|on)$/i.test(text)]
  if (text === '' && schema.includes('"null"')) return [null]
  if (/"(integer|number)"/.test(schema)) {
    if (/^-?\d{1,9}$/.test(text)) return [Number(text)]
    if (!schema.includes('"string"')) return []
  }
  return [text]
}

/** Tags are stored as a JSON list; a tag is in it when its JSON text is. */
function hasTag(tag: string): Expression<SqlBool> {
  return sql<SqlBool>`replace(tags, ${JSON.stringify(tag)}, '') <> tags`
}

const split = (values: string[]) => values.flatMap(value => value.split(',')).filter(Boolean)

/** Filters that every resource knows. */
const standardFilters: Record<string, (eb: AnyBuilder, values: string[]) => Expression<SqlBool>> = {
  tags: (eb, values) => eb.and(split(values).map(hasTag)),
  'tags-any': (eb, values) => eb.or(split(values).map(hasTag)),
  'not-tags': (eb, values) => eb.not(eb.and(split(values).map(hasTag))),
  'not-tags-any': (eb, values) => eb.not(eb.or(split(values).map(hasTag))),
  changed_since: (eb, values) => eb('updated_at', '>=', values[0]!),
}

interface Filters {
  where: Record<string, Match>
  extra: ((eb: AnyBuilder) => Expression<SqlBool>)[]
  /** Filters that only the view can answer. */
  after: { name: string; values: string[] }[]
}

function filtersOf<Row>(ctx: Ctx, run: ListRun<Row>, query: Query): Filters {
  const filters: Filters = { where: {}, extra: [], after: [] }
  for (const [name, value] of Object.entries(query)) {
    if (control.has(name)) continue
    const values = listOf(value)
    const attribute = ownMember(run.attributes, name)
    const column = columnOf(name, attribute)
    const own = ownMember(run.filters ?? {}, name)
    const standard = ownMember(standardFilters, name)
    if (own) filters.extra.push(eb => own(ctx, eb, values))
    else if (standard) filters.extra.push(eb => standard(eb, values))
    else if (!attribute || attribute.visible === false)
      throw badRequest(`['${name}'] is invalid attribute for filtering`)
    else if (run.hidden(name)) filters.where.id = []
    else if (column) {
      const wanted = values.flatMap(text => typed(attribute, text))
      filters.where[column] = wanted.length === 1 ? wanted[0]! : (wanted as string[])
    } else filters.after.push({ name, values })
  }
  if (!run.seesAll) filters.extra.push(eb => visibleTo(ctx, run, eb))
  return filters
}

/** What a caller who does not see all may see. */
export function visibleTo<Row>(ctx: Ctx, spec: ListSpec<Row>, eb: AnyBuilder): Expression<SqlBool> {
  return spec.visible?.(ctx, eb) ?? eb('project_id', '=', ctx.identity.project_id ?? '')
}

export async function listRows<Row extends StandardRow>(
  ctx: Ctx,
  run: ListRun<Row>,
  query: Query,
  url: string,
): Promise<Record<string, unknown>> {
  const { where, extra, after } = filtersOf(ctx, run, query)
  const limit = limitOf(query)
  const reverse = /^(true|1)$/i.test(String(query.page_reverse ?? ''))
  const marker = listOf(query.marker)[0]
  const options: ListOptions<Row> = { orderBy: sorting<Row>(query, run) }
  if (extra.length > 0) options.also = eb => eb.and(extra.map(make => make(eb)))
  if (marker) {
    const seen = run.seesAll ? {} : { also: (eb: AnyBuilder) => visibleTo(ctx, run, eb) }
    const [row] = await run.store.list(ctx.db, { id: marker } as Where<Row>, seen)
    if (!row)
      throw new BadRequest(`Invalid input for operation: The marker ${marker} could not be found.`, {
        type: 'InvalidInput',
      })
    if (reverse) options.before = row
    else options.after = row
  }
  // What the view alone can answer is filtered there, so the limit has to be taken after it.
  if (limit !== undefined && after.length === 0) options.limit = limit + 1
  const found = await run.store.list(ctx.db, where as Where<Row>, options)
  const wanted = await matching(ctx, run, await run.permitted(found), after)
  const more = limit !== undefined && (wanted.length > limit || found.length > limit)
  const page =
    limit === undefined || wanted.length <= limit ? wanted : reverse ? wanted.slice(-limit) : wanted.slice(0, limit)
  const items = await run.view(ctx, page)
  const answer: Record<string, unknown> = { [run.collection]: items.map(item => selectFields(item, query)) }
  const links = pageLinks(ctx, url, { limit, marker, more, page, reverse })
  if (links.length > 0) answer[`${run.collection}_links`] = links
  return answer
}

async function matching<Row>(ctx: Ctx, run: ListRun<Row>, rows: Row[], after: Filters['after']): Promise<Row[]> {
  if (after.length === 0) return rows
  const items = await run.view(ctx, rows)
  return rows.filter((_, i) => after.every(({ name, values }) => matches(items[i]![name], values)))
}

function matches(value: unknown, wanted: string[]): boolean {
  if (Array.isArray(value)) return wanted.some(w => value.some(v => String(v) === w))
  if (typeof value === 'boolean') return wanted.some(w => /^(true|1)$/i.test(w) === value)
  return wanted.includes(String(value ?? ''))
}

function sorting<Row extends StandardRow>(
  query: Query,
  { attributes, hidden }: ListRun<Row>,
): { column: keyof Row & string; direction: 'asc' | 'desc' }[] {
  const keys = listOf(query.sort_key).flatMap(k => k.split(','))
  const directions = listOf(query.sort_dir).flatMap(d => d.split(','))
  const orderBy: { column: keyof Row & string; direction: 'asc' | 'desc' }[] = keys.map((key, i) => {
    const name = columnOf(key, ownMember(attributes, key))
    if (name === undefined || hidden(key)) throw badRequest(`${key} is invalid attribute for sort_key`)
    const direction = directions[i] ?? 'asc'
    if (direction !== 'asc' && direction !== 'desc')
      throw badRequest(`${direction} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`)
    return { column: name as keyof Row & string, direction }
  })
  if (!orderBy.some(o => o.column === 'id')) orderBy.push({ column: 'id' as keyof Row & string, direction: 'asc' })
  return orderBy
}

function limitOf(query: Query): number | undefined {
  const text = listOf(query.limit)[0]
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw badRequest(`Limit must be an integer 0 or greater and not '${text}'`)
  const value = Number(text)
  return value === 0 ? undefined : Math.min(value, maxLimit)
}

interface Page {
  limit: number | undefined
  marker: string | undefined
  more: boolean
  page: { id: string }[]
  reverse: boolean
}

function pageLinks(
  ctx: Ctx,
  url: string,
  { limit, marker, more, page, reverse }: Page,
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
  if (reverse ? marker : more) links.push(link('next', page.at(-1)!.id))
  if (reverse ? more : marker) links.push(link('previous', page[0]!.id))
  return links
}
