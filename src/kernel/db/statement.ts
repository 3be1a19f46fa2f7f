/** SQL of the everyday statements on one table, written out: Kysely's builder costs ten times as much as a point read. */
import { CompiledQuery, type Expression, PostgresAdapter, type QueryResult, type SqlBool, sql } from 'kysely'
import type { Db } from './database.ts'
import type { Match } from './rows.ts'

export type Order = readonly {
  column: string
  direction: 'asc' | 'desc'
  /** No row has null there. */
  neverNull?: boolean
}[]

/** Longer lists become one parameter, so that lists of any length are one statement. */
const longList = 8

/** A statement under construction: text with the engine's placeholders, and its parameters. */
export interface Statement {
  text: string
  readonly parameters: unknown[]
  readonly postgres: boolean
}

export function statement(db: Db, text: string): Statement {
  return { text, parameters: [], postgres: db.getExecutor().adapter instanceof PostgresAdapter }
}

export function run<Row>(db: Db, { text, parameters }: Statement): Promise<QueryResult<Row>> {
  return db.executeQuery<Row>(CompiledQuery.raw(text, parameters))
}

export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

export function placeholder(s: Statement, value: unknown): string {
  s.parameters.push(value)
  return s.postgres ? `$${s.parameters.length}` : '?'
}

/** Adds ` where … and …`; nothing for no conditions. */
export function addWhere(s: Statement, conditions: readonly string[]): void {
  if (conditions.length > 0) s.text += ` where ${conditions.join(' and ')}`
}

/** The conditions that ask something. */
export function matching(s: Statement, where: object): string[] {
  const asked = Object.entries(where as Record<string, Match>)
  return asked.flatMap(([column, match]) => (match === undefined ? [] : condition(s, quoted(column), match)))
}

/** A condition made with Kysely. It must be the statement's first, since its placeholders count from 1. */
export function expressed(s: Statement, db: Db, expression: Expression<SqlBool>): string {
  if (s.parameters.length > 0) throw new Error('a condition of Kysely comes first in a statement')
  const compiled = sql`${expression}`.compile(db)
  s.parameters.push(...compiled.parameters)
  return `(${compiled.sql})`
}

/** Rows strictly after `row` in the given order; null sorts as the smallest value. */
export function afterRow(s: Statement, order: Order, row: Record<string, unknown>): string {
  // Says nothing new, but is what an index can begin at: by the alternatives alone all rows before are read.
  const from = order.slice(0, 1).map(({ column, ...how }) => beyond(s, quoted(column), row[column], how, '='))
  const alternatives = order.map(({ column, ...how }, i) => {
    const same = order.slice(0, i).map(o => condition(s, quoted(o.column), row[o.column] as Match & {}))
    return `(${[...same, beyond(s, quoted(column), row[column], how)].join(' and ')})`
  })
  return [...from, `(${alternatives.join(' or ')})`].join(' and ')
}

function beyond(
  s: Statement,
  column: string,
  value: unknown,
  { direction, neverNull = false }: Pick<Order[number], 'direction' | 'neverNull'>,
  orAt: '=' | '' = '',
): string {
  if (value === null) {
    if (direction === 'asc') return orAt ? '1 = 1' : `${column} is not null`
    return orAt ? `${column} is null` : '1 = 0'
  }
  if (direction === 'asc') return `${column} >${orAt} ${placeholder(s, value)}`
  const below = `${column} <${orAt} ${placeholder(s, value)}`
  return neverNull ? below : `(${below} or ${column} is null)`
}

function condition(s: Statement, column: string, match: Exclude<Match, undefined>): string {
  if (match === null) return `${column} is null`
  if (Array.isArray(match)) return oneOf(s, column, match, false)
  if (typeof match !== 'object') return `${column} = ${placeholder(s, match)}`
  const { op, value } = match as { op: string; value: unknown }
  if (value === null) return `${column} is not null`
  if (Array.isArray(value)) return oneOf(s, column, value, true)
  return `${column} ${op} ${placeholder(s, value)}`
}

function oneOf(s: Statement, column: string, values: readonly unknown[], not: boolean): string {
  if (values.length === 0) return not ? '1 = 1' : '1 = 0'
  if (values.length <= longList) {
    return `${column} ${not ? 'not in' : 'in'} (${values.map(value => placeholder(s, value)).join(', ')})`
  }
  if (s.postgres) return `${column} ${not ? '<> all' : '= any'}(${placeholder(s, values.map(plain))})`
  const list = placeholder(s, JSON.stringify(values.map(plain)))
  return `${column} ${not ? 'not in' : 'in'} (select value from json_each(${list}))`
}

/**
 * The rows of a table that have one of these values in a column: what a `from` begins with, and the condition of its `where`. Of the statement's
 * parameters theirs is the next. SQLite looks up one value of a long list after another: of a list in a condition it would first make an index.
 * Where only the rows of one value have to be in an order, `order by` begins with `first`: the values come in that order already. By texts alone
 * a long list takes as long to sort as to find.
 */
export function fromEach(
  s: Statement,
  { table, as, column }: { table: string; as: string; column: string },
  values: readonly string[],
): { from: string; where: string; first: string } {
  const named = `${quoted(table)} ${quoted(as)}`
  const field = `${quoted(as)}.${quoted(column)}`
  if (s.postgres || values.length <= longList)
    return { from: named, where: oneOf(s, field, values, false), first: field }
  const list = placeholder(s, JSON.stringify([...new Set(values)]))
  return {
    from: `(select key as "#place", value as "#value" from json_each(${list})) "#list" cross join ${named}`,
    where: `${field} = "#value"`,
    first: '"#place"',
  }
}

/** As it is stored: a boolean is a number. */
const plain = (value: unknown) => (typeof value === 'boolean' ? Number(value) : value)

/** Adds ` order by …`. The two engines sort nulls at opposite ends, so it says which. */
export function addOrder(s: Statement, order: Order): void {
  if (order.length === 0) return
  const parts = order.map(o => `${quoted(o.column)} ${o.direction === 'asc' ? 'asc nulls first' : 'desc nulls last'}`)
  s.text += ` order by ${parts.join(', ')}`
}

/** Adds `("a", "b") values (…), (…)`; the rows have the same columns. */
export function addValues(s: Statement, rows: readonly Record<string, unknown>[]): void {
  const columns = Object.keys(rows[0]!).filter(column => rows.some(row => row[column] !== undefined))
  const tuples = rows.map(row => `(${columns.map(column => placeholder(s, row[column] ?? null)).join(', ')})`)
  s.text += ` (${columns.map(quoted).join(', ')}) values ${tuples.join(', ')}`
}

/** Adds ` set "a" = …`. */
export function addSet(s: Statement, patch: Record<string, unknown>): void {
  const sets = Object.entries(patch).filter(([, value]) => value !== undefined)
  s.text += ` set ${sets.map(([column, value]) => `${quoted(column)} = ${placeholder(s, value)}`).join(', ')}`
}
