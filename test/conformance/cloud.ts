/** A cloud started as a user starts it, on loopback, and what a client can learn from it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { freePort } from '../free-port.ts'

const launcher = resolve(import.meta.dirname, '../../nephos')

export interface CloudOptions {
  /** Flags of `nephos up` beyond --data and --port. */
  flags: string[]
  /** What its nephos.yaml says. */
  settings?: Record<string, unknown>
}

/** Counts of answers by their status, by the operation's id. */
export type Answered = Map<string, Record<string, number>>

export interface Login {
  auth_url: string
  username: string
  password: string
}

/** What an admin sees of the cloud through its APIs. */
export interface Admin {
  login: Login
  token: string
  /** Types of the services in the catalog. */
  serviceTypes: string[]
  /** Asks below a service's endpoint. Throws unless the answer is a good one. */
  request(serviceType: string, path: string, init?: RequestInit): Promise<Response>
  /** The same, for the JSON of an answer. */
  get<T>(serviceType: string, path: string): Promise<T>
  post<T>(serviceType: string, path: string, body: unknown): Promise<T>
}

export async function startCloud({ flags, settings = {} }: CloudOptions) {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-conformance-'))
  const data = join(dir, 'data')
  mkdirSync(data)
  writeFileSync(join(data, 'nephos.yaml'), stringify(settings))
  const url = `http://127.0.0.1:${await freePort()}`
  const args = ['up', '--data', data, '--port', new URL(url).port, ...flags]
  const child = launch(args)
  const cloud = {
    dir,
    url,
    cloudsFile: join(data, 'clouds.yaml'),
    log: () => readFileSync(join(data, 'nephos.log'), 'utf8'),
    /** Ids of the operations that have been asked for so far, with how often each status was the answer. */
    async answered(): Promise<Answered> {
      const page = await (await fetch(`${url}/metrics`)).text()
      const found: Answered = new Map()
      for (const [, id, status, count] of page.matchAll(
        /^nephos_http_requests_total\{service="[^"]*",operation="([^"]*)",status="(\d+)"\} (\d+)/gm,
      )) {
        found.set(id!, { ...found.get(id!), [status!]: Number(count) })
      }
      return found
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  await child.ready.catch(async error => {
    await cloud[Symbol.asyncDispose]()
    throw error
  })
  return cloud
}

/** A node that serves the APIs of a cloud at another address. The cloud's settings name a NATS server. */
export async function startNode({ dir }: Pick<RunningCloud, 'dir'>, node: string) {
  const url = `http://127.0.0.1:${await freePort()}`
  const child = launch(['serve', '--data', join(dir, 'data'), '--port', new URL(url).port, '--node', node])
  await child.ready.catch(async error => {
    await child[Symbol.asyncDispose]()
    throw error
  })
  return { url, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() }
}

/** Runs a command that says when it is ready, until it is disposed of. */
function launch(args: string[]) {
  const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-20_000)
    })
  }
  async function readiness(): Promise<void> {
    for (let waited = 0; !/^ready /m.test(output); waited += 50) {
      if (child.exitCode !== null || waited > 120_000)
        throw new Error(`nephos ${args.join(' ')} did not get ready:\n${output}`)
      await sleep(50)
    }
  }
  return { ready: readiness(), [Symbol.asyncDispose]: () => ended(child) }
}

export type RunningCloud = Awaited<ReturnType<typeof startCloud>>

/** Logs in as the admin of the cloud's own clouds.yaml. */
export async function logIn(cloud: Pick<RunningCloud, 'cloudsFile'>): Promise<Admin> {
  const { clouds } = parse(readFileSync(cloud.cloudsFile, 'utf8')) as { clouds: Record<string, { auth: Login }> }
  const login = clouds['nephos-admin']!.auth
  const domain = { id: 'default' }
  const user = { name: login.username, password: login.password, domain }
  const answer = await fetch(`${login.auth_url}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: 'admin', domain } },
      },
    }),
  })
  if (answer.status !== 201) throw new Error(`the admin cannot log in: ${answer.status} ${await answer.text()}`)
  const token = answer.headers.get('x-subject-token')!
  const { catalog } = ((await answer.json()) as { token: { catalog: CatalogEntry[] } }).token
  async function request(serviceType: string, path: string, init: RequestInit = {}): Promise<Response> {
    const base = catalog.find(entry => entry.type === serviceType)?.endpoints[0]?.url
    if (base === undefined) throw new Error(`the catalog has no ${serviceType}`)
    const answer = await fetch(base + path, { ...init, headers: { 'x-auth-token': token, ...init.headers } })
    if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${base}${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  return {
    login,
    token,
    serviceTypes: catalog.map(entry => entry.type),
    request,
    get: async <T>(serviceType: string, path: string) => (await (await request(serviceType, path)).json()) as T,
    async post<T>(serviceType: string, path: string, body: unknown) {
      const headers = { 'content-type': 'application/json' }
      return (await (
        await request(serviceType, path, { method: 'POST', headers, body: JSON.stringify(body) })
      ).json()) as T
    },
  }
}

/** Uploads a copy of the cloud's first image for everybody, or a disk of the same format. */
export async function addImage(admin: Admin, name: string, disk?: string): Promise<void> {
  const { images } = await admin.get<{ images: Record<string, string>[] }>('image', '/v2/images')
  const { id, disk_format, container_format, ...rest } = images[0]!
  const body = disk
    ? new Uint8Array(readFileSync(disk))
    : await (await admin.request('image', `/v2/images/${id}/file`)).arrayBuffer()
  // What is said of the guest, such as that an agent runs in it.
  const properties = Object.fromEntries(Object.entries(rest).filter(([key]) => /^(hw_|os_distro$)/.test(key)))
  const image = { name, visibility: 'public', disk_format, container_format, ...properties }
  const made = await admin.post<{ id: string }>('image', '/v2/images', image)
  const headers = { 'content-type': 'application/octet-stream' }
  await admin.request('image', `/v2/images/${made.id}/file`, { method: 'PUT', headers, body })
}

interface CatalogEntry {
  type: string
  endpoints: { url: string }[]
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(done => child.once('exit', done))
  child.kill('SIGTERM')
  const hard = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await gone
  clearTimeout(hard)
}
