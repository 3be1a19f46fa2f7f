/** Clients at work on a real cloud: the simulation's mix over HTTP, as fast as answers come, with a ledger of what was accepted. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answered } from '../journeys/requests.ts'
import { type Account, attachFailed, forget, newAccount, type Request, remember } from '../simulation/clients.ts'
import { diceOf } from '../simulation/dice.ts'
import type { Problem } from '../simulation/invariants.ts'
import { imageActs } from '../simulation/mix-images.ts'
import { login, otherActs } from '../simulation/mix-network.ts'
import { type Act, type Scene, serverActs } from '../simulation/mix-servers.ts'
import type { ChaosCloud } from './cloud.ts'
import { type Ledger, newLedger } from './ledger.ts'

const acts: Record<string, [number, Act]> = { ...serverActs, image: imageActs.image!, ...otherActs }

export interface ClientsOptions {
  seed: number
  hosts: string[]
  /** Requests at once. */
  atOnce: number
  /** Milliseconds between an answer and the next request. */
  pauseMs: number
  /** Servers that a project may have. */
  instances: number
  /** Weights of acts that differ from the mix's. */
  weights?: Record<string, number>
}

export interface Clients {
  readonly ledger: Ledger
  readonly accounts: Account[]
  readonly admin: Account
  /** Not one of those at work: what it has nobody touches. */
  readonly witness: Account
  sent: number
  readonly statuses: Map<number, number>
  /** What was answered as it never may be. */
  readonly wrong: Problem[]
  /** While a part of the cloud is broken on purpose, requests may fail. */
  excused: boolean
  /** Lets them work until the promise is through, and their last answers have come. */
  workUntil(end: Promise<unknown>): Promise<void>
  /** One request by itself; throws unless the status is below 300. */
  must<T = Record<string, never>>(account: Account, request: Omit<Request, 'removes' | 'makes'>): Promise<T>
}

/** Makes their accounts on a cloud that is up. */
export async function employClients(cloud: ChaosCloud, options: ClientsOptions): Promise<Clients> {
  const dice = diceOf(options.seed)
  const { timeline } = cloud
  const scene: Scene = {
    ...{ dice, seed: options.seed, hosts: options.hosts.map(name => ({ name })) },
    first: { image: '', agentImage: '', network: '', outside: '' },
    portOf: server => portsOf.get(server),
    lostServer: () => undefined,
  }
  /** A port that was seen at a server. */
  const portsOf = new Map<string, string>()
  const admin = newAccount('admin', cloud.password('nephos-admin'))
  const demo = newAccount('demo', cloud.password('nephos'))
  const [p1, witness] = [newAccount('p1', 'a-password'), newAccount('witness', 'a-password')]
  const clients: Clients = {
    ...{ ledger: newLedger(), accounts: [demo, p1, admin], admin, witness },
    ...{ sent: 0, statuses: new Map(), wrong: [], excused: false },
    async workUntil(end) {
      let ended = false
      const stop = end.finally(() => {
        ended = true
      })
      const work = async () => {
        while (!ended) {
          const pause = (await one()) ? options.pauseMs : 50
          if (pause > 0) await Promise.race([sleep(pause), stop])
        }
      }
      await Promise.all([stop, ...Array.from({ length: options.atOnce }, work)])
    },
    async must<T>(account: Account, request: Request): Promise<T> {
      for (let attempt = 0; ; attempt++) {
        if (account.token === undefined) take(account, login(account), await cloud.ask(asked(account, login(account))))
        const answered = await cloud.ask(asked(account, request))
        if (answered.status === 401 && attempt === 0) account.token = undefined
        // Where all API processes have been killed, nobody serves until another has started.
        else if (answered.status === 0 && request.method === 'GET' && attempt < 200) await sleep(300)
        else if (answered.status >= 200 && answered.status < 300) return bodyOf(answered) as T
        else throw new Error(`${request.method} ${request.path}: ${answered.status} ${answered.body.slice(0, 500)}`)
      }
    },
  }

  function next(account: Account): Request | undefined {
    if (account.token === undefined) return login(account)
    const weighed = Object.entries(acts).map(([name, [weight]]) => [name, options.weights?.[name] ?? weight] as const)
    return acts[dice.weighted(Object.fromEntries(weighed))]![1](scene, account)
  }

  /** One client's one request; false when there was no answer. */
  async function one(): Promise<boolean> {
    const account = dice.pick(clients.accounts)!
    const request = next(account)
    if (!request) return true
    const number = ++clients.sent
    const { method, path } = request
    const text = Buffer.isBuffer(request.body) ? 'bytes' : JSON.stringify(request.body ?? '')
    timeline.note(`${account.name} #${number} ${method} ${path} ${text.slice(0, 300)}`)
    clients.ledger.sent(request)
    try {
      const answered = await cloud.ask(asked(account, request))
      timeline.note(`  #${number} ${answered.status} ${answered.body.slice(0, 160)}`)
      take(account, request, answered)
      return answered.status !== 0
    } catch (error) {
      timeline.note(`  #${number} ${String(error)}`)
      clients.ledger.answered(request, 0, undefined)
      if (!clients.excused) clients.wrong.push({ invariant: 'requests are answered', about: String(error), ids: [] })
      return false
    }
  }

  function take(account: Account, request: Request, answered: Answered): void {
    const { status, headers } = answered
    const body = bodyOf(answered)
    clients.statuses.set(status, (clients.statuses.get(status) ?? 0) + 1)
    clients.wrong.push(...clients.ledger.answered(request, status, body))
    if (status === 0) return
    if (status >= 500 && !attachFailed({ status, text: answered.body }) && !clients.excused) {
      const about = `${request.method} ${request.path}: ${status} ${answered.body}`
      clients.wrong.push({ invariant: 'no request fails by itself', about, ids: [] })
    }
    if (status === 401) account.token = undefined
    const fine = status < 300
    if (fine && request.makes) remember(account, request.makes, { body })
    if (request.removes && (fine || status === 404)) forget(account, ...request.removes)
    request.heard?.({ status, body, headers })
    noteInterfaces(request, body)
  }

  function noteInterfaces({ method, path }: Request, body: unknown): void {
    const server = /\/servers\/([^/]+)\/os-interface$/.exec(path)?.[1]
    const list = (body as { interfaceAttachments?: { port_id: string }[] } | undefined)?.interfaceAttachments
    if (server && method === 'GET' && list?.[0]) portsOf.set(server, list[0].port_id)
  }

  await makeAccounts(clients, [p1, witness])
  await setQuota(clients, options.instances)
  Object.assign(scene.first, await firstOf(clients, demo))
  return clients
}

function asked(account: Account, { method, path, body, headers }: Request) {
  return {
    ...{ method, path },
    ...(account.token !== undefined && { token: account.token }),
    ...(Buffer.isBuffer(body) ? { bytes: body.toString('base64') } : body !== undefined && { body }),
    ...(headers && { headers }),
  }
}

function bodyOf({ body, headers }: Answered): unknown {
  const isJson = String(headers['content-type'] ?? '').includes('json')
  return isJson && body ? JSON.parse(body) : undefined
}

const identity = '/identity/v3'

/** A project, and a user with the same name who is a member of it. */
async function makeAccounts({ must, admin }: Clients, accounts: Account[]): Promise<void> {
  const { roles } = await must<{ roles: { id: string }[] }>(admin, {
    method: 'GET',
    path: `${identity}/roles?name=member`,
  })
  for (const { name, password } of accounts) {
    const post = { method: 'POST' } as const
    const { project } = await must<{ project: { id: string } }>(admin, {
      ...{ ...post, path: `${identity}/projects`, body: { project: { name, domain_id: 'default' } } },
    })
    const { user } = await must<{ user: { id: string } }>(admin, {
      ...{ ...post, path: `${identity}/users`, body: { user: { name, password, domain_id: 'default' } } },
    })
    const path = `${identity}/projects/${project.id}/users/${user.id}/roles/${roles[0]!.id}`
    await must(admin, { method: 'PUT', path })
  }
}

async function setQuota({ must, admin, accounts }: Clients, instances: number): Promise<void> {
  const { projects } = await must<{ projects: { id: string; name: string }[] }>(admin, {
    method: 'GET',
    path: `${identity}/projects`,
  })
  for (const { id, name } of projects)
    if (accounts.some(account => account.name === name))
      await must(admin, {
        method: 'PUT',
        path: `/compute/v2.1/os-quota-sets/${id}`,
        body: { quota_set: { instances } },
      })
}

async function firstOf({ must }: Clients, account: Account): Promise<Scene['first']> {
  const get = <T>(path: string) => must<T>(account, { method: 'GET', path })
  const { images } = await get<{ images: { id: string }[] }>('/image/v2/images?name=tiny')
  const { networks } = await get<{ networks: { id: string; name: string }[] }>('/network/v2.0/networks')
  const network = (name: string) => networks.find(one => one.name === name)!.id
  const image = images[0]!.id
  return { image, agentImage: image, network: network('private'), outside: network('public') }
}
