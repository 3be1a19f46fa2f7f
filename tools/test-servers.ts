/** Private servers for tests, on loopback ports of their own, in temporary folders, gone afterwards: PostgreSQL and NATS. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { findProgram } from '../src/cli/debian-packages.ts'
import { cacheFolder } from '../src/cli/image-build.ts'
import { fetchPackages, openApt, resolvePackages, unpack } from '../src/cli/tiny/packages.ts'
import { systemClock } from '../src/kernel/clock.ts'
import { migrate } from '../src/kernel/db/migrate.ts'
import { openPostgres } from '../src/kernel/db/postgres.ts'
import { randomPassword, systemIds } from '../src/kernel/ids.ts'

const clock = systemClock()

export interface TestServer extends AsyncDisposable {
  url: string
}

/** PostgreSQL's programs are in a folder of their version on Debian. */
export function postgresFolder(): string | undefined {
  const onPath = findProgram('initdb')
  if (onPath) return join(onPath, '..')
  const base = '/usr/lib/postgresql'
  if (!existsSync(base)) return undefined
  const versions = readdirSync(base).sort((a, b) => Number(b) - Number(a))
  return versions.map(version => join(base, version, 'bin')).find(folder => existsSync(join(folder, 'initdb')))
}

/** Root may not run PostgreSQL: its own user does. */
function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(text => text.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  if (!uid || !gid) throw new Error('there is no user postgres to run PostgreSQL as')
  return { uid: Number(uid), gid: Number(gid) }
}

export interface PostgresCluster {
  /** Of everything about it; goes with it. */
  folder: string
  program: string
  data: string
  password: string
  /** Who must run it. */
  user: { uid: number; gid: number } | undefined
}

/** A new cluster of databases, and nothing that runs it. */
export function newPostgresCluster(): PostgresCluster {
  const programs = postgresFolder()
  if (!programs) throw new Error('PostgreSQL is not installed: apt-get install postgresql')
  const user = postgresUser()
  const folder = mkdtempSync(join(tmpdir(), 'nephos-postgres-'))
  const password = randomPassword(systemIds())
  writeFileSync(join(folder, 'password'), password)
  for (const path of [folder, join(folder, 'password')]) if (user) chownSync(path, user.uid, user.gid)
  const data = join(folder, 'data')
  const words = ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', join(folder, 'password')]
  const more = ['-E', 'UTF8', '--locale=C', '--no-sync']
  const made = spawnSync(join(programs, 'initdb'), [...words, ...more], { ...user, cwd: folder, encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`)
  return { folder, program: join(programs, 'postgres'), data, password, user }
}

/** It is thrown away: nothing has to reach the disk, and hundreds of short-lived databases need no tidying. */
const careless = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'autovacuum=off']

export async function startPostgres(): Promise<TestServer> {
  const { folder, program, data, password, user } = newPostgresCluster()
  const port = await freePort()
  const own = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'max_connections=200']
  const settings = [...own, ...careless]
  const child = spawn(program, ['-D', data, ...settings.flatMap(setting => ['-c', setting])], {
    ...user,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const dispose = async () => {
    await stop(child, 'SIGINT')
    rmSync(folder, { recursive: true, force: true })
  }
  await said(child, /ready to accept connections/).catch(async error => {
    await dispose()
    throw error
  })
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, [Symbol.asyncDispose]: dispose }
}

/** Makes a database with the tables of a whole cloud, which is copied faster than they are made. Disposed of, it is gone. */
export async function makeTemplate(server: string): Promise<{ name: string } & AsyncDisposable> {
  const name = `nephos_template_${systemIds().hex()}`
  const run = async (statement: string) => {
    await using database = openPostgres(server)
    await sql.raw(statement).execute(database.root)
  }
  await run(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  await using database = openPostgres(url.href)
  const { migrationSets } = await import('../src/cloud.ts')
  await migrate(database, migrationSets)
  return { name, [Symbol.asyncDispose]: () => run(`drop database ${name}`) }
}

/**
 * The path of a nats-server. Debian's package would start one for everybody, so it is unpacked beside our other cached files instead of
 * being installed.
 */
export async function findNats(log: (line: string) => void): Promise<string> {
  const installed = findProgram('nats-server')
  if (installed) return installed
  const cache = cacheFolder()
  const folder = join(cache, 'nats-server')
  const unpacked = ['usr/sbin', 'usr/bin'].map(place => join(folder, place, 'nats-server'))
  if (!unpacked.some(existsSync)) {
    await mkdir(join(cache, 'debs'), { recursive: true })
    const scratch = await mkdtemp(join(cache, 'fetch-'))
    try {
      const apt = await openApt(cache, 'nats-server', log, {})
      const packages = await resolvePackages(apt, ['nats-server'], scratch)
      await fetchPackages(apt, packages, join(cache, 'debs'), scratch, log, {})
      const files = packages.map(one => join(cache, 'debs', one.file))
      await unpack(files, folder, {})
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  }
  const found = unpacked.find(existsSync)
  if (!found) throw new Error('the package nats-server has no nats-server')
  return found
}

export async function startNats(program: string): Promise<TestServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'nephos-nats-'))
  writeFileSync(join(folder, 'nats.conf'), `listen: "127.0.0.1:${port}"\nmax_payload: 9MB\n`)
  const child = spawn(program, ['-c', join(folder, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
  const dispose = async () => {
    await stop(child, 'SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  await said(child, /Server is ready/).catch(async error => {
    await dispose()
    throw error
  })
  return { url: `nats://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Returns when the server has said that it is ready, and goes on reading, so that it never waits for a reader. */
export function said(child: ChildProcess, ready: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = setTimeout(() => reject(new Error(`${child.spawnfile} was not ready in 60 s: ${text}`)), 60_000)
    child.stderr?.on('data', chunk => {
      text = (text + chunk).slice(-4096)
      if (!ready.test(text)) return
      clearTimeout(timer)
      resolve()
    })
    child.on('error', reject)
    child.on('exit', () => {
      clearTimeout(timer)
      reject(new Error(`${child.spawnfile} did not start: ${text}`))
    })
  })
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  child.kill(signal)
  const timer = clock.after(10_000, () => child.kill('SIGKILL'))
  await ended
  timer.cancel()
}
