/** The database: one transactional truth, on SQLite or PostgreSQL, with the same SQL for both. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type DatabaseConnection, type Dialect, type Driver, Kysely, sql, type Transaction } from 'kysely'
import { systemClock } from '../clock.ts'
import { breather } from './breather.ts'
import { outageOf } from './outage.ts'

/** Every table by name. Each store adds its own by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: merged into by the stores
export interface Tables {}

/** A connection, or the open transaction. Store functions take it first and never close over it. */
export type Db = Kysely<Tables> | Transaction<Tables>

export type Engine = 'sqlite' | 'postgres'

export interface Database extends AsyncDisposable {
  readonly engine: Engine
  /** For queries outside a transaction. Using it inside one is an error: it would wait for itself on SQLite. */
  readonly root: Db
  /** Runs `fn` in one transaction: all of it is committed, or none. */
  transaction<T>(fn: (tx: Db) => Promise<T>): Promise<T>
  /** How many statements have been sent so far, for tests and metrics. */
  statements(): number
  /** Called when a request comes in; what it returns, if anything, is to be awaited: the event loop is to do other things first. */
  beforeRequest(): Promise<void> | undefined
  /** False when the database does not answer. */
  healthy(): Promise<boolean>
}

/** A unique constraint refused a row. Stores turn it into the API's conflict where a client can cause it. */
export class UniqueViolation extends Error {
  /** The engine's own words on what clashed: columns (SQLite) or the constraint's name (PostgreSQL). */
  readonly constraint: string
  constructor(constraint: string, cause: unknown) {
    super(`a row with the same ${constraint} exists`, { cause })
    this.name = 'UniqueViolation'
    this.constraint = constraint
  }
}

/** Rethrows an engine's error, unique violations as `UniqueViolation`, outages as `DatabaseOutage`. */
function translateError(error: unknown): never {
  const e = error as { code?: string; errcode?: number; constraint?: string; message?: string }
  if (e?.errcode === 2067 || e?.errcode === 1555) {
    throw new UniqueViolation(e.message?.replace(/^UNIQUE constraint failed: /, '') ?? 'key', error)
  }
  if (e?.code === '23505') throw new UniqueViolation(e.constraint ?? 'key', error)
  throw outageOf(error)
}

/** Longer than any transaction takes that is not stuck. */
const busyPatienceMs = 30_000
const longestPauseMs = 10
const clock = systemClock()

/** Another process writes to the same SQLite file. */
const isBusy = (error: unknown) => (((error as { errcode?: number }).errcode ?? 0) & 0xff) === 5

/** Waits for other processes without holding the event loop, which SQLite's own waiting would. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  let since: number | undefined
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await work()
    } catch (error) {
      if (!isBusy(error)) throw error
      since ??= clock.monotonic()
      if (clock.monotonic() - since > busyPatienceMs) throw error
      await clock.sleep(pauseMs)
    }
  }
}

const insideTransaction = new AsyncLocalStorage<boolean>()

const innerOf = new WeakMap<DatabaseConnection, DatabaseConnection>()
function inner(connection: DatabaseConnection): DatabaseConnection {
  return innerOf.get(connection) ?? connection
}

/** Called before each statement. */
type Before = () => Promise<void> | undefined

function watchedConnection(connection: DatabaseConnection, before: Before): DatabaseConnection {
  const counted: DatabaseConnection = {
    async executeQuery(query) {
      const pause = before()
      if (pause) await pause
      try {
        return await patiently(() => connection.executeQuery(query))
      } catch (error) {
        translateError(error)
      }
    },
    streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
  }
  innerOf.set(counted, connection)
  return counted
}

/** Wraps a dialect's driver so that a query on the root connection inside a transaction fails instead of waiting for ever. */
function guardedDriver(driver: Driver, before: Before): Driver {
  return {
    init: () => driver.init(),
    async acquireConnection() {
      if (insideTransaction.getStore()) {
        throw new Error("query on the root database inside a transaction: use the transaction's ctx.db")
      }
      return watchedConnection(await driver.acquireConnection().catch(translateError), before)
    },
    beginTransaction: (c, settings) =>
      patiently(() => driver.beginTransaction(inner(c), settings)).catch(translateError),
    commitTransaction: c => driver.commitTransaction(inner(c)).catch(translateError),
    rollbackTransaction: c => driver.rollbackTransaction(inner(c)).catch(translateError),
    releaseConnection: c => driver.releaseConnection(inner(c)).catch(translateError),
    destroy: () => driver.destroy(),
  }
}

/**
 * Builds a `Database` from a Kysely dialect; used by `sqlite.ts` and `postgres.ts`. `breathes`: gives the event loop turns between statements;
 * not for who steers time by the loop's turns.
 */
export function databaseOf(engine: Engine, dialect: Dialect, { breathes = false } = {}): Database {
  let statements = 0
  const breathe = breathes ? breather() : undefined
  const root = new Kysely<Tables>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createDriver: () =>
        guardedDriver(dialect.createDriver(), () => {
          statements++
          return breathe?.statement()
        }),
      createIntrospector: db => dialect.createIntrospector(db),
      createQueryCompiler: () => dialect.createQueryCompiler(),
    },
  })
  return {
    engine,
    root,
    statements: () => statements,
    beforeRequest: () => breathe?.request(),
    transaction: fn => root.transaction().execute(tx => insideTransaction.run(true, () => fn(tx))),
    async healthy() {
      try {
        await sql`select 1`.execute(root)
        return true
      } catch {
        return false
      }
    },
    [Symbol.asyncDispose]: () => root.destroy(),
  }
}

/** Runs `fn` as not being in the caller's transaction, for work that a commit sets off. */
export function outsideTransaction<T>(fn: () => T): T {
  return insideTransaction.run(false, fn)
}

/** PostgreSQL has ended a transaction that waited for others in a circle: begun again, it will do. */
export const isDeadlock = (error: unknown) => (error as { code?: string } | undefined)?.code === '40P01'

/**
 * Makes other transactions that lock the same key wait until this one ends. PostgreSQL only: SQLite has one writer anyway.
 * For rules about several rows (a quota is a count) that no unique constraint can say.
 */
export async function lock(db: Db, engine: Engine, key: string): Promise<void> {
  if (engine === 'postgres') await sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(db)
}
