/** One life of a simulated cloud: a database, hosts, and the control plane over them. A reset kills it and begins another in its place. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { inProcessBus } from '#kernel/bus/in-process.ts'
import { type Clock, endableClock, systemClock } from '#kernel/clock.ts'
import type { Config } from '#kernel/config/load.ts'
import { databaseOf } from '#kernel/db/database.ts'
import { connectMigrated } from '#kernel/db/migrated.ts'
import { connectSqlite, sqliteDialect } from '#kernel/db/sqlite.ts'
import type { Around } from '#kernel/http/dispatch.ts'
import { type Ids, systemIds } from '#kernel/ids.ts'
import type { Log } from '#kernel/log.ts'
import type { CheckSource } from '#kernel/policy/rule.ts'
import type { SagaProbe } from '#kernel/saga/run.ts'
import type { Service } from '#kernel/service.ts'
import { sharedMachineState } from '../agent.ts'
import type { Passwords } from '../cli/data-dir.ts'
import { databaseFile } from '../cli/database.ts'
import { ensureTinyImage } from '../cli/tiny-image.ts'
import { type Cloud, createCloud, migrationSets, untilHealthy } from '../cloud.ts'
import { ensureFirstContents } from '../first-contents.ts'
import { newDatabase } from '../new-database.ts'
import type { FakeGuest } from '../services/compute/drivers/fake.ts'
import { type SimulatedHost, simulatedHost } from './host.ts'

/** What every life of a cloud has in common. */
export interface Place {
  /** Folder of its files. */
  dir: string
  /** Database and guests are files there, and outlive the process. */
  kept: boolean
  config: Config
  policyOverrides: Record<string, CheckSource>
  services: readonly Service[]
  clock: Clock
  log: Log
  /** Where it is reached. */
  url: string
  around: Around
  sagaProbe: SagaProbe
}

/** What a life begins with. */
export interface Beginning {
  /** A database; what is kept; or nothing at all, in place of what is kept. */
  from: Uint8Array | 'kept' | 'nothing'
  /** Names of the hosts, with the guests that each has beside those that are kept. */
  hosts: Record<string, Record<string, FakeGuest>>
  /** Names of those that are away. */
  away?: readonly string[]
  passwords: Passwords
}

export interface Life {
  readonly cloud: Cloud
  readonly hosts: readonly SimulatedHost[]
  addHosts(names: readonly string[]): Promise<void>
  /** A host that was away is back when it resolves. */
  bringBack(host: SimulatedHost): Promise<void>
  /** Resolves when what was committed is on the disk; undefined when it is. */
  synced(): Promise<void> | undefined
  /** Looks at the database, as a file has it, and at all else between two transactions. */
  between<T>(look: (database: Uint8Array) => T): Promise<T>
  /** Ends at once: what goes on is not waited for, and never ends. */
  kill(): void
  /** Ends in order. */
  end(): Promise<void>
}

/** The name of the database in memory. */
const inMemory = ':memory:'

/** How often a new life is asked whether it is ready. */
const askEveryMs = 2

/** A host that has not been told what to carry by then will be later. */
const longestStartMs = 10_000

export async function beginLife(place: Place, beginning: Beginning): Promise<Life> {
  const { config, policyOverrides, services, around, sagaProbe } = place
  const clock = endableClock(place.clock)
  const log = place.log.child({})
  const ids: Ids = systemIds()
  const bus = inProcessBus(clock, log)
  const connection = await openDatabase(place, beginning.from)
  const dialect = sqliteDialect(connection)
  const database = databaseOf('sqlite', dialect, { breathes: true })
  const cloud = await createCloud({
    ...{ config, database, bus, clock, ids, log, policyOverrides, services, around, sagaProbe },
  })
  cloud.servedAt(place.url)
  const hosts: SimulatedHost[] = []
  const machine = sharedMachineState(clock)

  async function addHosts(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const guests = beginning.hosts[name] ?? {}
      const anew = beginning.from !== 'kept'
      const dir = place.kept && { dir: join(place.dir, 'hosts', name) }
      const host = simulatedHost({ ...{ name, cloud, bus, clock, log, machine, guests, anew }, ...dir })
      hosts.push(host)
      if (!beginning.away?.includes(name)) await host.arrive()
    }
  }
  async function ready(): Promise<void> {
    const real = systemClock()
    const there = hosts.filter(host => !host.away)
    if (there.length === 0) return
    const names = there.map(({ name }) => name)
    await untilHealthy(cloud, names, { clock: real, everyMs: askEveryMs })
    // Those of a snapshot have guests, and carry their ports only once they were told of them.
    const began = real.monotonic()
    while (there.some(host => !host.away && !host.ready) && real.monotonic() - began < longestStartMs)
      await real.sleep(askEveryMs)
  }

  if (typeof beginning.from === 'string') {
    const { admin, demo } = beginning.passwords
    await ensureFirstContents(cloud, { admin_password: admin, demo_password: demo })
    await ensureTinyImage(cloud, { simulated: true, dir: place.dir })
  }
  await addHosts(Object.keys(beginning.hosts))
  await cloud.http.ready()
  await cloud.begin()
  await ready()

  return {
    cloud,
    hosts,
    async addHosts(names) {
      await addHosts(names)
      await ready()
    },
    async bringBack(host) {
      await host.arrive()
      await ready()
    },
    synced: dialect.synced,
    between: look => database.root.connection().execute(async () => look(standing(connection.serialize()))),
    kill() {
      clock.end()
      log.level = 'silent'
      void cloud[Symbol.asyncDispose]().then(undefined, () => {})
      for (const host of hosts) host.leave('live')
      void bus[Symbol.asyncDispose]()
      connection.close()
      void database[Symbol.asyncDispose]()
    },
    async end() {
      await cloud[Symbol.asyncDispose]()
      for (const host of hosts.toReversed()) await host.end()
      await database[Symbol.asyncDispose]()
      await bus[Symbol.asyncDispose]()
    },
  }
}

async function openDatabase({ dir, kept }: Place, from: Beginning['from']): Promise<DatabaseSync> {
  if (!kept && typeof from === 'string') return connectMigrated(migrationSets, newDatabase)
  const file = join(dir, databaseFile)
  if (kept && from !== 'kept') for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
  if (kept && typeof from !== 'string') writeFileSync(file, from, { mode: 0o600 })
  const connection = connectSqlite(kept ? file : inMemory)
  if (!kept && typeof from !== 'string') connection.deserialize(from)
  return connection
}

/** A database that says of itself that it has a log beside it (WAL) could not be read from memory; it is whole without. */
function standing(bytes: Uint8Array): Uint8Array {
  bytes.fill(1, 18, 20)
  return bytes
}
