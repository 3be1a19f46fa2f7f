/** SQLite by Node's own `node:sqlite`: one connection, WAL, every commit on disk before anybody learns of it. */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { type Dialect, type Driver, SqliteDialect, type SqliteStatement } from 'kysely'
import { type Database, databaseOf } from './database.ts'
import { type Disk, diskOf, diskThread, type Sync } from './disk.ts'

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

/** Opens (and makes) the database file; `:memory:` is gone when closed. `sync`: in place of the disk's own. */
export function openSqlite(path: string, options: { breathes?: boolean; sync?: Sync } = {}): Database {
  return databaseOf('sqlite', sqliteDialect(connectSqlite(path), options.sync), options)
}

/** The connection that a cloud wants. It does not sync what it commits: that is done beside the event loop, by `sqliteDialect`. */
export function connectSqlite(path: string): DatabaseSync {
  const db = new DatabaseSync(path)
  db.exec(
    'pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on',
  )
  // The log is moved into the file by the thread that syncs it; when that does not come to it, before it is ten times as long.
  db.exec('pragma wal_autocheckpoint = 10000')
  // 16 MiB of pages in memory: by default it is 2, and a list of a thousand servers reads the file anew.
  db.exec('pragma cache_size = -16384')
  // From here on, who waits for another process does so outside of SQLite.
  db.exec('pragma busy_timeout = 0')
  return db
}

const nothingChanged = { changes: 0, lastInsertRowid: 0 }

export interface DiskDialect extends Dialect {
  /** Resolves when what was committed is on the disk; undefined when it is. */
  synced(): Promise<void> | undefined
}

/** `sync` brings the log of what was committed onto the disk; what is in memory needs none. */
export function sqliteDialect(db: DatabaseSync, sync?: Sync): DiskDialect {
  // Preparing costs about ten times an execution, so statements are kept; the oldest goes when there are too many.
  const cache = new Map<string, SqliteStatement>()
  const file = db.location()
  const thread = file === null || sync ? undefined : diskThread(file)
  const syncing = sync ?? thread?.sync
  const disk = syncing && diskOf(syncing)
  const watch = disk && watcher(db, disk)

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
    const kept = watch ? watch(sql, made) : made
    if (cache.size >= maxCachedStatements) cache.delete(cache.keys().next().value!)
    cache.set(sql, kept)
    return kept
  }

  const dialect = new SqliteDialect({ database: { prepare, close: () => db.isOpen && db.close() } })
  return {
    createAdapter: () => dialect.createAdapter(),
    createDriver: () => inLine(dialect.createDriver(), disk, thread?.end),
    createIntrospector: db => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    synced: () => disk?.reached(),
  }
}

const changesRows = /\b(insert|update|delete)\b/i
const changesTables = /^\s*(create|alter|drop)\b/i

/** Has statements tell the disk when something was committed with them. */
function watcher(db: DatabaseSync, disk: Disk): (sql: string, made: SqliteStatement) => SqliteStatement {
  let hasChanged = false
  function note(changes: boolean): void {
    hasChanged ||= changes
    if (!hasChanged || db.isTransaction) return
    hasChanged = false
    disk.committed()
  }
  return (sql, made) => {
    const [rows, tables] = [changesRows.test(sql), changesTables.test(sql)]
    if (!rows && !tables && sql !== 'commit') return made
    return {
      ...made,
      all(parameters) {
        const found = made.all(parameters)
        note(found.length > 0)
        return found
      },
      run(parameters) {
        const result = made.run(parameters)
        note(tables || (rows && result.changes !== 0))
        return result
      },
    }
  }
}

/**
 * Who waits for the one connection stands in line: Kysely's lock wakes all that wait at each release, which costs more than a statement when they
 * are many. Who is done with it leaves it to the next, and waits for the disk: nobody sees what a power cut may take back.
 */
function inLine(driver: Driver, disk: Disk | undefined, end?: () => Promise<void>): Driver {
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
      await disk?.reached()
    },
    beginTransaction: (connection, settings) => driver.beginTransaction(connection, settings),
    commitTransaction: connection => driver.commitTransaction(connection),
    rollbackTransaction: connection => driver.rollbackTransaction(connection),
    async destroy() {
      await end?.()
      await driver.destroy()
    },
  }
}
