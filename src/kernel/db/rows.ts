/** Typed access to one table: what nine of ten stores need, so that only unusual queries are written by hand. */
import { type Expression, type ExpressionBuilder, type Kysely, type SqlBool, sql } from 'kysely'
import type { Db } from './database.ts'

export interface RowsOptions<Row> {
  /** Columns that hold JSON text; read and written as values. */
  json?: (keyof Row & string)[]
  /** Columns that hold 0 or 1; read as booleans. */
  bool?: (keyof Row & string)[]
  /** Columns with JSON that many rows have alike: of a list it is read once, and the rows share the value, which nobody changes. */
  alike?: (keyof Row & string)[]
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
type Order = { column: string; direction: 'asc' | 'desc' }[]

export interface Rows<Row> {
  readonly table: string
  find(db: Db, where: Where<Row>): Promise<Row | undefined>
  list(db: Db, where?: Where<Row>, options?: ListOptions<Row>): Promise<Row[]>
  count(db: Db, where?: Where<Row>): Promise<number>
  /** Throws `UniqueViolation` when a constraint refuses it. */
  insert(db: Db, row: Row): Promise<void>
  insertMany(db: Db, rows: Row[]): Promise<void>
  /** Changes all rows that match and says how many. With the old values in `where` it is a compare-and-set. */
  update(db: Db, where: Where<Row>, patch: Partial<Row>): Promise<number>
  /** Deletes all rows that match and says how many. */
  remove(db: Db, where: Where<Row>): Promise<number>
  /** The stored form of a row as the typed form, for queries written by hand. */
  decode(stored: Record<string, unknown>): Row
}

/** A condition that no row meets. */
const never = sql<SqlBool>`1 = 0`

function condition(eb: AnyBuilder, column: string, match: Exclude<Match, undefined>): Expression<SqlBool> {
  if (match === null) return eb(column, 'is', null)
  if (Array.isArray(match)) return match.length === 0 ? never : eb(column, 'in', match)
  if (typeof match !== 'object') return eb(column, '=', match)
  const { op, value } = match as Comparison
  return value === null ? eb(column, 'is not', null) : eb(column, op, value)
}

function matching(eb: AnyBuilder, matches: object): Expression<SqlBool> {
  const asked = Object.entries(matches as Record<string, Match>).filter(([, match]) => match !== undefined)
  return eb.and(asked.map(([column, match]) => condition(eb, column, match as Exclude<Match, undefined>)))
}

/** A condition left open by mistake must not find, change or delete rows that nobody asked for. */
function complete<Row>(where: Where<Row>): Where<Row> {
  const open = Object.entries(where).find(([, match]) => match === undefined)
  if (open) throw new Error(`the condition on "${open[0]}" is undefined: say null for rows without a value`)
  return where
}

/** Rows strictly after `row` in the given order; null sorts as the smallest value. */
function afterRow(eb: AnyBuilder, order: Order, row: Record<string, unknown>): Expression<SqlBool> {
  const alternatives = order.map(({ column, direction }, i) => {
    const same = order
      .slice(0, i)
      .map(o => (row[o.column] === null ? eb(o.column, 'is', null) : eb(o.column, '=', row[o.column])))
    const value = row[column]
    if (value === null) return eb.and([...same, direction === 'asc' ? eb(column, 'is not', null) : never])
    const beyond =
      direction === 'asc' ? eb(column, '>', value) : eb.or([eb(column, '<', value), eb(column, 'is', null)])
    return eb.and([...same, beyond])
  })
  return eb.or(alternatives)
}

/** Access to `table`, whose columns are the members of `Row`. */
export function rows<Row extends object>(table: string, options: RowsOptions<Row> = {}): Rows<Row> {
  const json: readonly string[] = options.json ?? []
  const bool: readonly string[] = options.bool ?? []
  const any = (db: Db) => db as unknown as Kysely<AnyTables>

  function encode(row: Partial<Row>): Record<string, unknown> {
    const out = { ...row } as Record<string, unknown>
    for (const column of json) {
      if (out[column] !== undefined && out[column] !== null) out[column] = JSON.stringify(out[column])
    }
    return out
  }
  function decodeAll(list: Record<string, unknown>[]): Row[] {
    for (const column of options.alike ?? []) {
      const read = new Map<string, unknown>()
      for (const stored of list) {
        const text = stored[column]
        if (typeof text !== 'string') continue
        if (!read.has(text)) read.set(text, JSON.parse(text))
        stored[column] = read.get(text)
      }
    }
    return list.map(decode)
  }
  function decode(stored: Record<string, unknown>): Row {
    for (const column of json) if (typeof stored[column] === 'string') stored[column] = JSON.parse(stored[column])
    for (const column of bool) if (typeof stored[column] === 'number') stored[column] = stored[column] !== 0
    return stored as Row
  }

  return {
    table,
    decode,
    async find(db, where) {
      const query = any(db)
        .selectFrom(table)
        .selectAll()
        .where(eb => matching(eb, complete(where)))
      const found = await query.limit(1).executeTakeFirst()
      return found ? decode(found) : undefined
    },
    async list(db, where = {}, { orderBy = [], limit, after, before, also } = {}) {
      const reversed = before !== undefined
      const order: Order = orderBy.map(({ column, direction }) => ({
        column,
        direction: (direction === 'asc') !== reversed ? 'asc' : 'desc',
      }))
      let query = any(db)
        .selectFrom(table)
        .selectAll()
        .where(eb => matching(eb, where))
      const pivot = before ?? after
      if (pivot) query = query.where(eb => afterRow(eb, order, encode(pivot)))
      if (also) query = query.where(also)
      // The two engines sort nulls at opposite ends, so say which.
      for (const { column, direction } of order) {
        query = query.orderBy(column, o => (direction === 'asc' ? o.asc().nullsFirst() : o.desc().nullsLast()))
      }
      if (limit !== undefined) query = query.limit(limit)
      const found = decodeAll(await query.execute())
      return reversed ? found.reverse() : found
    },
    async count(db, where = {}) {
      const query = any(db)
        .selectFrom(table)
        .select(eb => eb.fn.countAll<number>().as('n'))
      const row = await query.where(eb => matching(eb, where)).executeTakeFirstOrThrow()
      return Number(row.n)
    },
    async insert(db, row) {
      await any(db).insertInto(table).values(encode(row)).execute()
    },
    async insertMany(db, list) {
      // SQLite takes at most 32,766 parameters a statement.
      for (let i = 0; i < list.length; i += 200) {
        await any(db)
          .insertInto(table)
          .values(list.slice(i, i + 200).map(encode))
          .execute()
      }
    },
    async update(db, where, patch) {
      const query = any(db)
        .updateTable(table)
        .set(encode(patch))
        .where(eb => matching(eb, complete(where)))
      return Number((await query.executeTakeFirst()).numUpdatedRows)
    },
    async remove(db, where) {
      const query = any(db)
        .deleteFrom(table)
        .where(eb => matching(eb, complete(where)))
      return Number((await query.executeTakeFirst()).numDeletedRows)
    },
  }
}
