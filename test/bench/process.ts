/** The cloud that is measured: a process started as a user starts it, what it has used so far, and calls to it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { type Asked, ask } from './ask.ts'

export const root = resolve(import.meta.dirname, '../..')
const port = 18674
export const base = `http://127.0.0.1:${port}`

export interface Started {
  child: ChildProcess
  /** Milliseconds from start to ready, of the clock and of the processor. */
  took: number
  cpu: number
}

const running = new Set<ChildProcess>()

/** Ends the clouds that a failure has left. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(stop))
}

/** Starts a simulated cloud on the data directory and waits until it is ready. */
export async function start(data: string, hosts = 8): Promise<Started> {
  const began = performance.now()
  const words = ['up', '--data', data, '--simulated', '--hosts', String(hosts), '--port', String(port)]
  const child = spawn(join(root, 'nephos'), words, { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  await new Promise<void>((done, fail) => {
    let text = ''
    child.stdout!.on('data', chunk => {
      text += chunk
      if (/^ready http/m.test(text)) done()
    })
    child.once('exit', code => fail(new Error(`nephos up ended with ${code}`)))
  })
  return { child, took: performance.now() - began, cpu: cpuOf(child.pid!) }
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return void running.delete(child)
  const exit = new Promise(done => child.once('exit', done))
  child.kill('SIGTERM')
  await exit
  running.delete(child)
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']))

/** Milliseconds of processor that a process and its ended children have used. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').map(Number)
  return (fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / ticksPerSecond) * 1000
}

/** Proportional memory of a process in MiB. */
export function memoryOf(pid: number): number {
  const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]
  return Number(pss) / 1024
}

export interface Used {
  /** Milliseconds. */
  cpu: number
  /** Statements sent to the database. */
  statements: number
  late: Late
}

/** How late the event loop ran since it was last asked, in milliseconds: 99 of 100 turns, and all. */
export interface Late {
  p99: number
  max: number
}

export async function usedBy(child: ChildProcess): Promise<Used> {
  const { text: page } = await ask(`${base}/metrics`)
  // A reading begins the loop's clock anew with its next tick: work that holds the loop before that would not be seen.
  await sleep(100)
  const late = (q: string) => 1000 * numberIn(page, `nephos_event_loop_delay_seconds{quantile="${q}"}`)
  return {
    cpu: cpuOf(child.pid!),
    statements: numberIn(page, 'nephos_db_statements_total'),
    late: { p99: late('0.99'), max: late('1') },
  }
}

function numberIn(page: string, name: string): number {
  const line = page.split('\n').find(one => one.startsWith(`${name} `))
  if (!line) throw new Error(`/metrics has no ${name}`)
  return Number(line.slice(name.length + 1))
}

export interface Entry {
  auth: { username: string; password: string; project_name: string }
}

/** The entries of the data directory's clouds.yaml. */
export function entriesOf(data: string): Record<string, Entry> {
  return (parse(readFileSync(join(data, 'clouds.yaml'), 'utf8')) as { clouds: Record<string, Entry> }).clouds
}

export async function login(entry: Entry): Promise<string> {
  const domain = { name: 'Default' }
  const { username, password, project_name } = entry.auth
  const answer = await ask(`${base}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
        scope: { project: { name: project_name, domain } },
      },
    }),
  })
  if (answer.status !== 201) throw new Error(`login: ${answer.status}`)
  return answer.headers['x-subject-token'] as string
}

export type Client = ReturnType<typeof clientWith>

/** Calls with a token; any other status than the one expected is an error. */
export function clientWith(token: string) {
  const asked = (method: string, path: string, headers: Record<string, string>, body?: Asked['body']) =>
    ask(base + path, { method, headers: { 'x-auth-token': token, ...headers }, body })
  async function call(
    method: string,
    path: string,
    expect: number,
    headers: Record<string, string> = {},
    body?: Asked['body'],
  ): Promise<string> {
    const { status, text } = await asked(method, path, headers, body)
    if (status !== expect) throw new Error(`${method} ${path}: ${status} ${text}`)
    return text
  }
  return {
    get: (path: string, headers: Record<string, string> = {}) => call('GET', path, 200, headers),
    async json<T>(path: string): Promise<T> {
      return JSON.parse(await call('GET', path, 200)) as T
    },
    /** Whatever the answer is. */
    async ask<T>(path: string): Promise<T> {
      return JSON.parse((await asked('GET', path, {})).text) as T
    },
    async send<T>(method: string, path: string, body: unknown, expect: number): Promise<T> {
      const headers = { 'content-type': 'application/json', 'openstack-api-version': 'compute 2.90' }
      const text = await call(method, path, expect, headers, body === undefined ? undefined : JSON.stringify(body))
      return (text ? JSON.parse(text) : undefined) as T
    },
    put: (path: string, bytes: AsyncIterable<Buffer>, expect: number) =>
      call('PUT', path, expect, { 'content-type': 'application/octet-stream' }, bytes),
    remove: (path: string, expect: number) => call('DELETE', path, expect),
  }
}
