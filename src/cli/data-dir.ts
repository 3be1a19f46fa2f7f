/** The data directory of a cloud: one process at a time, the names and passwords made at first start, the clients' configuration. */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Ids, randomPassword } from '#kernel/ids.ts'
import { onDemand } from '#kernel/on-demand.ts'

/** Something that the user has to mend: shown on one line, exit code 1. */
export class StartError extends Error {}

export interface DataDir extends Disposable {
  readonly path: string
  file(name: string): string
}

/** Who runs on a data directory, for `nephos status`. */
export interface RunFile {
  pid: number
  url: string
  started_at: string
  simulated: boolean
}

/** SQLite's word for: another process has it. */
const busy = 5

/** Makes the directory and takes it for this process; a second process is refused. The lock ends with the process, however it ends. */
export function openDataDir(path: string): DataDir {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new StartError(`cannot make the data directory ${path}: ${(cause as Error).message}`, { cause })
  }
  const lock = takeLock(path)
  return {
    path,
    file: name => join(path, name),
    [Symbol.dispose]() {
      rmSync(join(path, 'run.json'), { force: true })
      lock.close()
    },
  }
}

function takeLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(path, 'lock.db'), { timeout: 0 })
    lock.exec('pragma journal_mode = delete; begin exclusive')
    return lock
  } catch (cause) {
    lock?.close()
    const { errcode = 0, message } = cause as { errcode?: number; message: string }
    if ((errcode & 0xff) !== busy) {
      const text = `cannot write to the data directory ${path} (${message}): mend that, or give another --data`
      throw new StartError(text, { cause })
    }
    const running = readRunFile(path)
    const who = running ? ` (process ${running.pid}, ${running.url})` : ''
    throw new StartError(`another nephos runs on ${path}${who}: stop it first, or give another --data`, { cause })
  }
}

/** Removes, when disposed of, what an ephemeral cloud made in its directory. Throws when a cloud that is kept lives there. */
export function ephemeralDir(path: string, { temporary }: { temporary: boolean }): Disposable {
  if (existsSync(join(path, 'nephos.db')))
    throw new StartError(`a cloud is kept in ${path}: leave --ephemeral out, or give another --data`)
  const before = new Set(existsSync(path) ? readdirSync(path) : [])
  return {
    [Symbol.dispose]() {
      if (temporary) return rmSync(path, { recursive: true, force: true })
      const made = readdirSync(path).filter(name => !before.has(name))
      for (const name of made) rmSync(join(path, name), { recursive: true, force: true })
    },
  }
}

/** Writes a file whole or not at all. */
export function writeFile(path: string, text: string, mode = 0o600): void {
  const temporary = `${path}.new`
  writeFileSync(temporary, text, { mode, flush: true })
  chmodSync(temporary, mode)
  renameSync(temporary, path)
}

export function writeRunFile(dir: DataDir, run: RunFile): void {
  writeFile(dir.file('run.json'), `${JSON.stringify(run)}\n`, 0o644)
}

export function readRunFile(path: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(join(path, 'run.json'), 'utf8')) as RunFile
  } catch {
    return undefined
  }
}

/** What begins the names of this cloud's things on the machine: the same at every start, another for another directory. */
export function prefixOf(path: string): string {
  return `n${createHash('sha256').update(path).digest('hex').slice(0, 5)}`
}

export interface Passwords {
  admin: string
  demo: string
}

interface CloudEntry {
  auth: Record<string, string>
  [key: string]: unknown
}

/** The passwords of an earlier start, or new ones. */
export function passwordsOf(cloudsFile: string, ids: Ids): Passwords {
  const clouds = existsSync(cloudsFile)
    ? ((onDemand.yaml().parse(readFileSync(cloudsFile, 'utf8')) as { clouds?: Record<string, CloudEntry> })?.clouds ??
      {})
    : {}
  const of = (cloud: string) => clouds[cloud]?.auth.password ?? randomPassword(ids)
  return { admin: of('nephos-admin'), demo: of('nephos') }
}

/** Writes `clouds.yaml`: `nephos` (project demo), `nephos-admin` (project admin) and `nephos-system` (the whole system). */
export function writeClouds(cloudsFile: string, url: string, region: string, passwords: Passwords): void {
  const user = (username: string, password: string, scope: Record<string, string>) => ({
    auth: { auth_url: `${url}/identity/v3`, username, password, user_domain_name: 'Default', ...scope },
    region_name: region,
    identity_api_version: 3,
    interface: 'public',
  })
  const project = (name: string) => ({ project_name: name, project_domain_name: 'Default' })
  const clouds = {
    nephos: user('demo', passwords.demo, project('demo')),
    'nephos-admin': user('admin', passwords.admin, project('admin')),
    'nephos-system': user('admin', passwords.admin, { system_scope: 'all' }),
  }
  writeFile(cloudsFile, yamlOf({ clouds }))
}

interface Nested {
  [key: string]: string | number | Nested
}

/** Plain enough to be written without the package, which would be loaded at every start for it: text in quotes is the same in JSON and YAML. */
function yamlOf(value: Nested, indent = ''): string {
  const lines = Object.entries(value).map(([key, member]) =>
    typeof member === 'object'
      ? `${indent}${key}:\n${yamlOf(member, `${indent}  `)}`
      : `${indent}${key}: ${JSON.stringify(member)}\n`,
  )
  return lines.join('')
}
