/** The cloud that is measured: a process started as a user starts it, what it has used so far, and calls to it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'

export const root = resolve(import.meta.dirname, '../..')
const port = 18674
export const base = `http://127.0.0.1:${port}`

export interface Started {
  child: ChildProcess
  /** Milliseconds from start to ready, of the clock and of the processor. */
  took: number
  cpu: number
}

/** Starts a simulated cloud on the data directory and waits until it is ready. */
export async function start(data: string): Promise<Started> {
  const began = performance.now()
  const child = spawn(
    join(root, 'nephos'),
    ['up', '--data', data, '--simulated', '--hosts', '3', '--port', String(port)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
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
  const exit = new Promise(done => child.once('exit', done))
  child.kill('SIGTERM')
  await exit
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']))

/** Milliseconds of processor that a process and its ended children have used. */
function cpuOf(pid: number): number {
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
}

export async function usedBy(child: ChildProcess): Promise<Used> {
  const page = await (await fetch(`${base}/metrics`)).text()
  return { cpu: cpuOf(child.pid!), statements: Number(/^nephos_db_statements_total (\d+)/m.exec(page)![1]) }
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
  const answer = await fetch(`${base}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
        scope: { project: { name: project_name, domain } },
      },
    }),
  })
  await answer.text()
  if (answer.status !== 201) throw new Error(`login: ${answer.status}`)
  return answer.headers.get('x-subject-token')!
}

export type Client = ReturnType<typeof clientWith>

/** Calls with a token; any other status than the one expected is an error. */
export function clientWith(token: string) {
  async function call(method: string, path: string, expect: number, headers: Record<string, string>, body?: string) {
    const answer = await fetch(base + path, {
      method,
      headers: { 'x-auth-token': token, ...headers },
      ...(body !== undefined && { body }),
    })
    const text = await answer.text()
    if (answer.status !== expect) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text
  }
  return {
    get: (path: string, headers: Record<string, string> = {}) => call('GET', path, 200, headers),
    async json<T>(path: string): Promise<T> {
      return JSON.parse(await call('GET', path, 200, {})) as T
    },
    async send<T>(method: string, path: string, body: unknown, expect: number): Promise<T> {
      const headers = { 'content-type': 'application/json', 'openstack-api-version': 'compute 2.90' }
      const text = await call(method, path, expect, headers, body === undefined ? undefined : JSON.stringify(body))
      return (text ? JSON.parse(text) : undefined) as T
    },
  }
}
