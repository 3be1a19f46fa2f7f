/** Typed access to one table: what nine of ten stores need, so that only unusual queries are written by hand. */
import { type Expression, type ExpressionBuilder, expressionBuilder, type SqlBool } from 'kysely'
import type { Db } from './database.ts'
import {
  addOrder,
  addSet,
  addValues,
  addWhere,
  afterRow,
  expressed,
  matching,
  type Order,
  placeholder,
  quoted,
  run,
  statement,
} from './statement.ts'

export interface RowsOptions<Row> {
  /** Columns that hold JSON text; read and written as values. */
  json?: (keyof Row & string)[]
  /** Columns that hold 0 or 1; read as booleans. */
  bool?: (keyof Row & string)[]
  /** Columns with JSON that many rows have alike: of a list it is read once, and the rows share the value, which nobody changes. */
  alike?: (keyof Row & string)[]
  /** Columns that every row has a value in: pages that are ordered by them, the last first, begin where an index says. */
  neverNull?: (keyof Row & string)[]
}

type Scalar = string | number | boolean | null
type Comparison = { op: '<' | '<=' | '>' | '>=' | '!=' | 'like' | 'not in'; value: Scalar | readonly Scalar[] }
/** A condition on a column: equal, one of, or compared. `undefined` asks nothing in a list or count, and is an error anywhere else. */
export type Match = Scalar | readonly Scalar[] | Comparison | undefined
export type Where<Row> = { [K in keyof Row]?: Match }

export interface ListOptions<Row> {
  orderBy?: { column: keyof Row & string; direction: 'asc' | 'desc' }[]
  limit?: number
  /** Only rows that come after this one in the order asked for. The order must end in a unique column. */
  after?: Row
  /** Only the rows just before this one, in the order asked for. */
  before?: Row
  /** A condition that `Where` cannot say. */
  also?: (eb: AnyBuilder) => Expression<SqlBool>
}

type AnyTables = Record<string, Record<string, unknown>>
export type AnyBuilder = ExpressionBuilder<AnyTables, string>

export interface Rows<Row> {
  readonly table: string
  find(db: Db, where: Where<Row>): Promise<Row | undefined>
  list(db: Db, where?: Where<Row>, options?: ListOptions<Row>): Promise<Row[]>
  /** Like `list`, but reads some columns only. */
  pick<K extends keyof Row & string>(
    db: Db,
    columns: readonly K[],
    where?: Where<Row>,
    options?: ListOptions<Row>,
  ): Promise<Pick<Row, K>[]>
  count(db: Db, where?: Where<Row>): Promise<number>
  /** Throws `UniqueViolation` when a constraint refuses it. */
  insert(db: Db, row: Row): Promise<void>
  insertMany(db: Db, rows: Row[]): Promise<void>
  /** Inserts a row, unless a constraint says that it is there: says whether it did. A transaction goes on either way, as after `UniqueViolation` it does not. */
  insertNew(db: Db, row: Row): Promise<boolean>
  /** Inserts rows; of those that are there, by these columns of a constraint, the others are changed. */
  put(db: Db, key: readonly (keyof Row & string)[], rows: readonly Row[]): Promise<void>
  /** Changes all rows that match and says how many. With the old values in `where` it is a compare-and-set. */
  update(db: Db, where: Where<Row>, patch: Partial<Row>): Promise<number>
  /** Deletes all rows that match and says how many. */
  remove(db: Db, where: Where<Row>): Promise<number>
  /** The stored form of a row as the typed form, for queries written by hand. */
  decode(stored: Record<string, unknown>): Row
  /** The other way. */
  encode(row: Partial<Row>): Record<string, unknown>
}

/** A condition left open by mistake must not find, change or delete rows that nobody asked for. */
function complete<Row>(where: Where<Row>): Where<Row> {
  const open = Object.entries(where).find(([, match]) => match === undefined)
  if (open) throw new Error(`the condition on "${open[0]}" is undefined: say null for rows without a value`)
  return where
}

/** True when no row can match: then the database is not asked. */
const matchesNothing = (where: object) =>
  Object.values(where as Record<string, Match>).some(match => Array.isArray(match) && match.length === 0)

/** Access to `table`, whose columns are the members of `Row`. */
export function rows<Row extends object>(table: string, options: RowsOptions<Row> = {}): Rows<Row> {
  const json: readonly string[] = options.json ?? []
  const bool: readonly string[] = options.bool ?? []
  const neverNull: readonly string[] = options.neverNull ?? []
  const from = quoted(table)

  function encode(row: Partial<Row>): Record<string, unknown> {
    const out = { ...row } as Record<string, unknown>
    for (const column of json) {
      if (out[column] !== undefined && out[column] !== null) out[column] = JSON.stringify(out[column])
    }
    return out
  }
  /** Rows of one query have the same columns. */
  function decodeAll(list: Record<string, unknown>[]): Row[] {
    const [first] = list
    if (!first) return []
    const alike = (options.alike ?? []).filter(column => column in first)
    const others = json.filter(column => column in first && !alike.some(one => one === column))
    const flags = bool.filter(column => column in first)
    for (const column of alike) readOnce(list, column)
    for (const stored of list) decodeColumns(stored, others, flags)
    return list as Row[]
  }
  function decode(stored: Record<string, unknown>): Row {
    decodeColumns(stored, json, bool)
    return stored as Row
  }

  async function select(db: Db, columns: string, where: Where<Row>, options: ListOptions<Row>): Promise<Row[]> {
    if (matchesNothing(where)) return []
    const { orderBy = [], limit, after, before, also } = options
    const reversed = before !== undefined
    const order: Order = orderBy.map(({ column, direction }) => ({
      column,
      direction: (direction === 'asc') !== reversed ? 'asc' : 'desc',
      neverNull: neverNull.includes(column),
    }))
    const pivot = before ?? after
    const s = statement(db, `select ${columns} from ${from}`)
    addWhere(s, [
      ...(also ? [expressed(s, db, also(expressionBuilder<AnyTables, string>()))] : []),
      ...matching(s, where),
      ...(pivot ? [afterRow(s, order, encode(pivot))] : []),
    ])
    addOrder(s, order)
    if (limit !== undefined) s.text += ` limit ${placeholder(s, limit)}`
    const found = decodeAll((await run<Record<string, unknown>>(db, s)).rows)
    return reversed ? found.reverse() : found
  }

  return {
    table,
    decode,
    encode,
    async find(db, where) {
      if (matchesNothing(complete(where))) return undefined
      const s = statement(db, `select * from ${from}`)
      addWhere(s, matching(s, where))
      s.text += ' limit 1'
      const { rows: found } = await run<Record<string, unknown>>(db, s)
      return found[0] && decode(found[0])
    },
    list: (db, where = {}, options = {}) => select(db, '*', where, options),
    pick: (db, columns, where = {}, options = {}) => select(db, columns.map(quoted).join(', '), where, options),
    async count(db, where = {}) {
      if (matchesNothing(where)) return 0
      const s = statement(db, `select count(*) as n from ${from}`)
      addWhere(s, matching(s, where))
      return Number((await run<{ n: number }>(db, s)).rows[0]!.n)
    },
    async insert(db, row) {
      const s = statement(db, `insert into ${from}`)
      addValues(s, [encode(row)])
      await run(db, s)
    },
    async insertMany(db, list) {
      // SQLite takes at most 32,766 parameters a statement.
      for (let i = 0; i < list.length; i += 200) {
        const s = statement(db, `insert into ${from}`)
        addValues(s, list.slice(i, i + 200).map(encode))
        await run(db, s)
      }
    },
    async insertNew(db, row) {
      const s = statement(db, `insert into ${from}`)
      addValues(s, [encode(row)])
      s.text += ' on conflict do nothing'
      return Number((await run(db, s)).numAffectedRows) > 0
    },
    async put(db, key, list) {
      for (const row of list) {
        const s = statement(db, `insert into ${from}`)
        addValues(s, [encode(row)])
        const others = Object.keys(row).filter(column => !key.some(one => one === column))
        const changed = others.map(column => `${quoted(column)} = excluded.${quoted(column)}`)
        s.text += ` on conflict (${key.map(quoted).join(', ')}) do update set ${changed.join(', ')}`
        await run(db, s)
      }
    },
    async update(db, where, patch) {
      if (matchesNothing(complete(where))) return 0
      const s = statement(db, `update ${from}`)
      addSet(s, encode(patch))
      addWhere(s, matching(s, where))
      return Number((await run(db, s)).numAffectedRows)
    },
    async remove(db, where) {
      if (matchesNothing(complete(where))) return 0
      const s = statement(db, `delete from ${from}`)
      addWhere(s, matching(s, where))
      return Number((await run(db, s)).numAffectedRows)
    },
  }
}

function decodeColumns(stored: Record<string, unknown>, json: readonly string[], bool: readonly string[]): void {
  for (const column of json) if (typeof stored[column] === 'string') stored[column] = JSON.parse(stored[column])
  for (const column of bool) if (typeof stored[column] === 'number') stored[column] = stored[column] !== 0
}

/** Reads JSON that many rows have alike. */
function readOnce(list: Record<string, unknown>[], column: string): void {
  const read = new Map<string, unknown>()
  for (const stored of list) {
    const text = stored[column]
    if (typeof text !== 'string') continue
    if (!read.has(text)) read.set(text, JSON.parse(text))
    stored[column] = read.get(text)
  }
}
