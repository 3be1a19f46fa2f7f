/** SQLite by Node's own `node:sqlite`: one connection, WAL, every commit on disk before it is answered. */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { type Dialect, type Driver, SqliteDialect, type SqliteStatement } from 'kysely'
import { type Database, databaseOf } from './database.ts'

/** Values as SQLite takes them: booleans are 0 and 1, `undefined` is null. */
function bind(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map(value =>
    typeof value === 'boolean' ? Number(value) : value === undefined ? null : (value as SQLInputValue),
  )
}

const maxCachedStatements = 1000

type Values = SQLOutputValue[]

type Row = Record<string, SQLOutputValue>

/** Makes rows that all have one shape; those that `node:sqlite` itself makes are dictionaries, many times slower to read. */
function shaper(statement: StatementSync): (values: Values) => Row {
  let columns = 0
  let shape: (values: Values) => Row = () => ({})
  return values => {
    // At first, and when a migration has added a column to `*`.
    if (values.length !== columns) {
      columns = values.length
      shape = literal(statement.columns().map(column => column.name))
    }
    return shape(values)
  }
}

/** A function written for these names, as validators are for their schemas: filling a row name by name is twenty times slower. */
function literal(names: string[]): (values: Values) => Row {
  const members = names.map((name, i) => `${JSON.stringify(name)}: values[${i}]`)
  return new Function('values', `return {${members.join(',')}}`) as (values: Values) => Row
}

/** Opens (and makes) the database file; `:memory:` is gone when closed. */
export function openSqlite(path: string, options: { breathes?: boolean } = {}): Database {
  return databaseOf('sqlite', sqliteDialect(connectSqlite(path)), options)
}

/** The connection that a cloud wants: a 2xx is on disk. */
export function connectSqlite(path: string): DatabaseSync {
  const db = new DatabaseSync(path)
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma busy_timeout = 5000')
  // 16 MiB of pages in memory: by default it is 2, and a list of a thousand servers reads the file anew.
  db.exec('pragma cache_size = -16384')
  // From here on, who waits for another process does so outside of SQLite.
  db.exec('pragma busy_timeout = 0')
  return db
}

const nothingChanged = { changes: 0, lastInsertRowid: 0 }

export function sqliteDialect(db: DatabaseSync): Dialect {
  // Preparing costs about ten times an execution, so statements are kept; the oldest goes when there are too many.
  const cache = new Map<string, SqliteStatement>()

  function prepare(sql: string): SqliteStatement {
    const known = cache.get(sql)
    if (known) return known
    const statement = db.prepare(sql === 'begin' ? 'begin immediate' : sql)
    statement.setReturnArrays(true)
    const shaped = shaper(statement)
    // On a full disk SQLite rolls back by itself: to fail then would hide why.
    const isRollback = sql === 'rollback'
    const made: SqliteStatement = {
      reader: statement.columns().length > 0,
      all: parameters => (statement.all(...bind(parameters)) as unknown as Values[]).map(shaped),
      run: isRollback
        ? () => (db.isTransaction ? statement.run() : nothingChanged)
        : parameters => statement.run(...bind(parameters)),
      *iterate(parameters) {
        for (const values of statement.iterate(...bind(parameters))) yield shaped(values as unknown as Values)
      },
    }
    if (cache.size >= maxCachedStatements) cache.delete(cache.keys().next().value!)
    cache.set(sql, made)
    return made
  }

  const dialect = new SqliteDialect({ database: { prepare, close: () => db.close() } })
  return {
    createAdapter: () => dialect.createAdapter(),
    createDriver: () => inLine(dialect.createDriver()),
    createIntrospector: db => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  }
}

/** Who waits for the one connection stands in line: Kysely's lock wakes all that wait at each release, which costs more than a statement when they are many. */
function inLine(driver: Driver): Driver {
  let taken = false
  const line: (() => void)[] = []
  function leave(): void {
    const next = line.shift()
    if (next) next()
    else taken = false
  }
  return {
    init: () => driver.init(),
    async acquireConnection() {
      if (taken) await new Promise<void>(go => line.push(go))
      taken = true
      try {
        return await driver.acquireConnection()
      } catch (error) {
        leave()
        throw error
      }
    },
    async releaseConnection(connection) {
      await driver.releaseConnection(connection)
      leave()
    },
    beginTransaction: (connection, settings) => driver.beginTransaction(connection, settings),
    commitTransaction: connection => driver.commitTransaction(connection),
    rollbackTransaction: connection => driver.rollbackTransaction(connection),
    destroy: () => driver.destroy(),
  }
}
