/** One service of any cloud, as a `clouds.yaml` names it: found by the catalog, asked with a token of the entry. For commands. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { onDemand } from '#kernel/on-demand.ts'
import { StartError } from './data-dir.ts'

export interface CloudApi {
  json<T>(method: string, path: string, body?: unknown): Promise<T>
  /** Undefined when there is none. */
  find<T>(path: string): Promise<T | undefined>
  open(path: string): Promise<ReadableStream<Uint8Array>>
  send(path: string, bytes: ReadableStream<Uint8Array>): Promise<void>
  remove(path: string): Promise<void>
}

interface Entry {
  auth_type?: string
  region_name?: string
  interface?: string
  auth: Record<string, string | undefined>
}

const usual = ['clouds.yaml', join(homedir(), '.config/openstack/clouds.yaml'), '/etc/openstack/clouds.yaml']

/** Throws StartError when there is no such entry, or the cloud refuses it. `file` is by default where clients look for it. */
export async function cloudNamed(name: string, service: string, file: string | undefined): Promise<CloudApi> {
  const path = file ?? process.env.OS_CLIENT_CONFIG_FILE ?? usual.find(existsSync)
  if (path === undefined) throw new StartError('there is no clouds.yaml here: name one with --clouds FILE')
  if (!existsSync(path)) throw new StartError(`there is no file ${path}`)
  const entry = onDemand.yaml().parse(readFileSync(path, 'utf8'))?.clouds?.[name] as Entry | undefined
  if (!entry?.auth?.auth_url) throw new StartError(`${path} has no cloud ${name} with an auth_url`)
  const { token, url } = await enter(name, entry, service)
  return apiAt(url.replace(/\/(v2\/?)?$/, ''), token)
}

function identityOf({ auth }: Entry) {
  if (auth.application_credential_id !== undefined)
    return {
      identity: {
        methods: ['application_credential'],
        application_credential: { id: auth.application_credential_id, secret: auth.application_credential_secret },
      },
    }
  const domain = (kind: 'user' | 'project') => {
    const id = auth[`${kind}_domain_id`] ?? auth.domain_id
    return id === undefined ? { name: auth[`${kind}_domain_name`] ?? auth.domain_name ?? 'Default' } : { id }
  }
  const user = { name: auth.username, password: auth.password, domain: domain('user') }
  const project =
    auth.project_id === undefined ? { name: auth.project_name, domain: domain('project') } : { id: auth.project_id }
  return { identity: { methods: ['password'], password: { user } }, scope: { project } }
}

interface Catalog {
  token: { catalog: { type: string; endpoints: { interface: string; region: string; url: string }[] }[] }
}

async function enter(name: string, entry: Entry, service: string): Promise<{ token: string; url: string }> {
  const answer = await fetch(`${entry.auth.auth_url!.replace(/\/(v3\/?)?$/, '')}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: identityOf(entry) }),
    signal: AbortSignal.timeout(30_000),
  })
  const token = answer.headers.get('x-subject-token')
  if (!token) throw new StartError(`the cloud ${name} refused its user (${answer.status})`)
  const { catalog } = ((await answer.json()) as Catalog).token
  const wanted = (entry.interface ?? 'public').replace(/URL$/, '')
  const endpoint = catalog
    .find(one => one.type === service)
    ?.endpoints.find(
      one => one.interface === wanted && (entry.region_name === undefined || one.region === entry.region_name),
    )
  if (!endpoint) throw new StartError(`the cloud ${name} has no ${wanted} endpoint for ${service}`)
  return { token, url: endpoint.url }
}

function apiAt(url: string, token: string): CloudApi {
  async function ask(method: string, path: string, init: RequestInit = {}, fine: number[] = []): Promise<Response> {
    const answer = await fetch(url + path, { ...init, method, headers: { 'x-auth-token': token, ...init.headers } })
    if (answer.ok || fine.includes(answer.status)) return answer
    const text = (await answer.text()).replaceAll(/<[^>]*>|\s+/g, ' ').trim()
    throw new Error(`${method} ${path} was answered ${answer.status}: ${text.slice(0, 300)}`)
  }
  const octets = { 'content-type': 'application/octet-stream' }
  return {
    async json<T>(method: string, path: string, body?: unknown) {
      const sent = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
      return (await (await ask(method, path, body === undefined ? {} : sent)).json()) as T
    },
    async find<T>(path: string) {
      const answer = await ask('GET', path, {}, [404])
      if (answer.status === 200) return (await answer.json()) as T
      await answer.text()
      return undefined
    },
    async open(path) {
      const { body } = await ask('GET', path)
      if (!body) throw new Error(`GET ${path} was answered without bytes`)
      return body as ReadableStream<Uint8Array>
    },
    async send(path, bytes) {
      await ask('PUT', path, { headers: octets, body: bytes, duplex: 'half' })
    },
    async remove(path) {
      await ask('DELETE', path, {}, [404])
    },
  }
}
