/** The running cloud's API, asked as its first administrator, for commands. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { onDemand } from '#kernel/on-demand.ts'
import { readRunFile, StartError } from './data-dir.ts'

export interface Answer<T> {
  status: number
  body: T
}

/** A request that is no GET. */
export interface Change {
  method: 'POST' | 'PUT' | 'DELETE'
  body?: unknown
}

export interface AdminApi {
  /** Compute, at its newest version. `path` is below `/v2.1`. */
  compute<T>(path: string, change?: Change): Promise<Answer<T>>
  /** Placement, at its newest version. */
  placement<T>(path: string): Promise<Answer<T>>
  /** Network; `path` is below `/v2.0`. */
  network<T>(path: string): Promise<Answer<T>>
  /** Events; `path` is below `/v1`. */
  event<T>(path: string): Promise<Answer<T>>
}

/** What was asked for. Throws StartError with the cloud's words when it refused. */
export function answered<T>({ status, body }: Answer<T>): T {
  if (status < 400) return body
  const [fault] = Object.values(body ?? {}) as { message?: string }[]
  throw new StartError(`the cloud answered ${status}: ${fault?.message ?? 'it does not say why'}`)
}

/** Throws StartError when no cloud runs on the directory, or its password is not there. */
export async function adminApi(data: string): Promise<AdminApi> {
  const run = readRunFile(data)
  if (!run) throw new StartError(`no cloud runs on ${data}: start one with nephos up --data ${data}`)
  const password = passwordIn(data)
  const reach = async (path: string, init: RequestInit): Promise<Response> => {
    try {
      return await fetch(run.url + path, { ...init, signal: AbortSignal.timeout(30_000) })
    } catch (error) {
      const { cause, message } = error as Error
      const why = cause instanceof Error ? cause.message : message
      throw new StartError(
        `the cloud at ${run.url} cannot be reached from here (${why}): start it again with nephos up --data ${data}`,
        { cause: error },
      )
    }
  }
  let token = await login(run.url, password, reach)
  async function ask<T>(service: string, path: string, change?: Change): Promise<Answer<T>> {
    const answer = await send(service, path, change)
    if (answer.status !== 401) return await read(answer)
    // It has been watched for longer than a token lasts.
    token = await login(run!.url, password, reach)
    return await read(await send(service, path, change))
  }
  async function read<T>(answer: Response): Promise<Answer<T>> {
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as T }
  }
  function send(service: string, path: string, change?: Change): Promise<Response> {
    const body = change?.body === undefined ? {} : { body: JSON.stringify(change.body) }
    const headers = {
      ...{ 'x-auth-token': token, 'openstack-api-version': `${service} latest` },
      ...(change?.body !== undefined && { 'content-type': 'application/json' }),
    }
    return reach(path, { method: change?.method ?? 'GET', headers, ...body })
  }
  return {
    compute: (path, change) => ask('compute', `/compute/v2.1${path}`, change),
    placement: path => ask('placement', `/placement${path}`),
    network: path => ask('network', `/network/v2.0${path}`),
    event: path => ask('event', `/event/v1${path}`),
  }
}

function passwordIn(data: string): string {
  const file = join(data, 'clouds.yaml')
  const known = existsSync(file) ? onDemand.yaml().parse(readFileSync(file, 'utf8')) : undefined
  const password: unknown = known?.clouds?.['nephos-admin']?.auth?.password
  if (typeof password !== 'string') throw new StartError(`${file} has no password of the cloud nephos-admin`)
  return password
}

type Reach = (path: string, init: RequestInit) => Promise<Response>

async function login(url: string, password: string, reach: Reach): Promise<string> {
  const user = { name: 'admin', domain: { id: 'default' }, password }
  const scope = { project: { name: 'admin', domain: { id: 'default' } } }
  const answer = await reach('/identity/v3/auth/tokens?nocatalog', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
  })
  const token = answer.headers.get('x-subject-token')
  if (!token) throw new StartError(`the cloud at ${url} refused its administrator (${answer.status})`)
  return token
}
