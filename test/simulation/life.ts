/** A process of the cloud that can be killed at any instruction: what it waits for never comes, what it began stays as it is. */
import type { DatabaseSync } from 'node:sqlite'
import type { DatabaseConnection, Dialect, Driver, QueryResult, SqliteDialect } from 'kysely'
import type { Bus } from '../../src/kernel/bus/bus.ts'
import { endableBus } from '../../src/kernel/bus/endable.ts'
import { type Clock, endableClock } from '../../src/kernel/clock.ts'
import { type Database, databaseOf } from '../../src/kernel/db/database.ts'

export interface Life {
  readonly name: string
  readonly dead: boolean
  /** Resolves at the end of it. */
  readonly ended: Promise<void>
  onDeath(act: () => void): void
  kill(): void
}

export function lifeOf(name: string): Life {
  const acts: (() => void)[] = []
  const ended = Promise.withResolvers<void>()
  let dead = false
  return {
    name,
    get dead() {
      return dead
    },
    ended: ended.promise,
    onDeath: act => void acts.push(act),
    kill() {
      if (dead) return
      dead = true
      for (const act of acts) act()
      ended.resolve()
    },
  }
}

/** What a dead process waits for. */
export const never = new Promise<never>(() => {})

/** The one database that outlives all processes, and what may happen to it. */
export interface Disk {
  readonly connection: DatabaseSync
  /** Of all processes: what one has prepared the next need not. */
  readonly dialect: Dialect
  /** Commits so far. */
  commits: number
  /** Statements so far. */
  statements: number
  /** What was written since somebody last looked: tables (empty: one that is not known), and `table.column` where rows only changed. */
  readonly written: Set<string>
  /** Called before and after each commit; may kill the process. */
  atCommit: (life: Life, when: 'before' | 'after') => void
  /** Throws when the disk is full, say. */
  mayWrite: () => void
  /** One transaction at a time, whichever process has it. */
  turn: Promise<void>
}

/** By statement: most are the same few. */
const writes = new Map<string, string[]>()

/** What a statement writes, as `Disk.written` names it; nothing of one that only reads. */
function writtenBy(sql: string): string[] {
  const known = writes.get(sql) ?? writesIn(sql)
  writes.set(sql, known)
  return known
}

/** Tables that rows come to or go from, `table.column` of rows that change, and the empty text where that is not known. */
export function writesIn(sql: string): string[] {
  if (/^\s*(select|with|pragma|begin|rollback)/i.test(sql)) return []
  const [, changed, columns] = /^update "(\w+)" set ("\w+" = \?(?:, "\w+" = \?)*)(?: where |$)/.exec(sql) ?? []
  if (columns) return [...columns.matchAll(/\w+/g)].map(([column]) => `${changed}.${column}`)
  return [/^\s*(?:insert(?: or \w+)? into|update|delete from)\s+"?(\w+)/i.exec(sql)?.[1] ?? '']
}

/** The database as one process sees it. */
export function databaseFor(disk: Disk, life: Life): Database {
  const { dialect } = disk
  return databaseOf('sqlite', {
    createAdapter: () => dialect.createAdapter(),
    createDriver: () => mortalDriver(dialect.createDriver(), disk, life),
    createIntrospector: db => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  } satisfies Pick<SqliteDialect, keyof SqliteDialect>)
}

function mortalDriver(driver: Driver, disk: Disk, life: Life): Driver {
  let giveBack: (() => void) | undefined
  const raw = driver.init().then(() => driver.acquireConnection())
  /** There from the first turn on: what is begun on it happens at once, so that a death comes before it or after. */
  let ready: DatabaseConnection | undefined
  let inTransaction = false
  life.onDeath(() => {
    if (!giveBack) return
    if (disk.connection.isTransaction) disk.connection.exec('rollback')
    giveBack()
  })

  async function alive<T>(work: () => Promise<T>, commits: boolean): Promise<T> {
    if (life.dead) return never
    disk.statements++
    if (commits) {
      disk.mayWrite()
      disk.atCommit(life, 'before')
      if (life.dead) return never
    }
    const result = await work()
    if (commits && !life.dead) {
      disk.commits++
      disk.atCommit(life, 'after')
    }
    return life.dead ? never : result
  }

  return {
    async init() {
      await raw
    },
    async acquireConnection() {
      const mine = Promise.withResolvers<void>()
      const before = disk.turn
      disk.turn = mine.promise
      await before
      giveBack = () => {
        giveBack = undefined
        mine.resolve()
      }
      if (life.dead) {
        giveBack()
        return never
      }
      const connection = await raw
      ready = connection
      return {
        executeQuery<R>(query: Parameters<typeof connection.executeQuery>[0]): Promise<QueryResult<R>> {
          const written = writtenBy(query.sql)
          for (const one of written) disk.written.add(one)
          return alive(() => connection.executeQuery<R>(query), !inTransaction && written.length > 0)
        },
        streamQuery: (query, size) => connection.streamQuery(query, size),
      }
    },
    async beginTransaction(_connection, settings) {
      inTransaction = true
      await alive(() => driver.beginTransaction(ready!, settings), false)
    },
    async commitTransaction() {
      await alive(() => driver.commitTransaction(ready!), true)
      inTransaction = false
    },
    async rollbackTransaction() {
      await alive(() => driver.rollbackTransaction(ready!), false)
      inTransaction = false
    },
    async releaseConnection() {
      giveBack?.()
    },
    async destroy() {},
  }
}

/** The clock as one process sees it: its timers end with it. */
export function clockFor(clock: Clock, life: Life): Clock {
  const own = endableClock(clock)
  if (life.dead) own.end()
  else life.onDeath(own.end)
  return own
}

/** The bus as one process sees it. */
export function busFor(bus: Bus, clock: Clock, life: Life): Bus {
  const own = endableBus(bus)
  if (life.dead) own.end()
  else life.onDeath(own.end)
  return { ...own, clock }
}
