/** Clients of a run: who they are, what they know of, how they ask, and what an answer must never be. */
import type { InjectOptions } from 'fastify'
import type { Process, World } from './world.ts'

export const kinds = [
  ...(['server', 'image', 'staged', 'copied', 'volume', 'keypair', 'server_group', 'bundle', 'agent_build'] as const),
  ...(['network', 'subnet', 'port', 'router', 'floatingip', 'security_group', 'security_group_rule'] as const),
  ...(['project', 'user'] as const),
]
export type Kind = (typeof kinds)[number]

export interface Account {
  /** Of the user and of the project. */
  readonly name: string
  readonly password: string
  token: string | undefined
  /** Ids of what it made and has not deleted, as far as it knows. */
  readonly known: Record<Kind, string[]>
}

export interface Request {
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
  /** From 500 on, the answer that it asks for. */
  failsWith?: number
  /** What a 2xx has made: its kind, and the key of the answer's body. */
  makes?: Kind
  /** What a 2xx or 404 says is gone. */
  removes?: [Kind, string]
  /** Called with an answer that came. */
  heard?: (answer: Answer) => void
}

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: whatever an answer has
  body: any
  headers: Record<string, unknown>
}

export function newAccount(name: string, password = name): Account {
  const known = Object.fromEntries(kinds.map(kind => [kind, [] as string[]])) as Account['known']
  return { name, password, token: undefined, known }
}

/** An answer and all that its body says. */
interface Heard extends Answer {
  text: string
}

/** An answer that no fault excuses. */
export class BadAnswer extends Error {}

export interface Clients {
  readonly accounts: Account[]
  /** Requests without an answer yet. */
  waiting: number
  /** All requests so far, and by status. */
  sent: number
  readonly statuses: Map<number, number>
  /** Asks one of the processes; the answer is taken when it comes. Thrown errors end the run. */
  ask(account: Account, request: Request, options?: { hangUp?: boolean }): void
  /** The first answer that no fault excuses. */
  wrong: Error | undefined
}

/** An answer of 500 or above, with the words of its body, and when it was asked for. */
export interface Failing {
  status: number
  text: string
  sent: number
}

/** `excused`: whether a fault is why a request was answered so. */
export function clientsOf(world: World, excused: (answer: Failing) => boolean): Clients {
  const { timeline } = world
  const clients: Clients = {
    accounts: ['demo', 'p1', 'p2', 'admin'].map(name => newAccount(name)),
    waiting: 0,
    sent: 0,
    statuses: new Map(),
    wrong: undefined,
    ask(account, request, options = {}) {
      const number = ++clients.sent
      const process = chooseProcess(world)
      const { method, path } = request
      timeline.note(`${account.name} #${number} ${method} ${path} ${shown(request.body)}`)
      clients.waiting++
      const sent = world.clock.now()
      answered(process, account, request, options.hangUp ?? false)
        .then(answer => take(number, account, request, sent, answer))
        .catch(error => {
          clients.wrong ??= error
        })
        .finally(() => {
          clients.waiting--
        })
    },
  }

  async function answered(
    process: Process | undefined,
    account: Account,
    request: Request,
    hangUp: boolean,
  ): Promise<Heard | undefined> {
    if (!process?.cloud) return undefined
    const gone = new AbortController()
    const { path: url, body, headers } = request
    const token = account.token && { 'x-auth-token': account.token }
    const options: InjectOptions = {
      method: request.method as NonNullable<InjectOptions['method']>,
      url,
      headers: { host: 'cloud.test', ...token, ...headers },
      ...(body !== undefined && { payload: body as NonNullable<InjectOptions['payload']> }),
      ...(hangUp && { signal: gone.signal }),
    }
    const sent = process.cloud.http.inject(options)
    if (hangUp) {
      world.reach('client hangs up')
      world.clock.after(world.dice.between(0, 5), () => gone.abort())
    }
    const answer = await Promise.race([
      sent.catch(error => {
        if (gone.signal.aborted) return undefined
        throw error
      }),
      process.life.ended,
    ])
    if (!answer) return undefined
    const isJson = String(answer.headers['content-type'] ?? '').includes('json')
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      body: isJson && answer.body ? answer.json() : undefined,
    }
  }

  function take(number: number, account: Account, request: Request, sent: number, answer: Heard | undefined): void {
    timeline.note(`  #${number} ${answer ? `${answer.status} ${said(answer)}` : 'no answer'}`)
    if (!answer) return
    clients.statuses.set(answer.status, (clients.statuses.get(answer.status) ?? 0) + 1)
    const isAsked = answer.status === request.failsWith
    if (answer.status >= 500 && !isAsked && !excused({ ...answer, sent }))
      throw new BadAnswer(`#${number} ${request.method} ${request.path}: ${answer.status} ${answer.text}`)
    if (answer.status === 401) account.token = undefined
    const fine = answer.status < 300
    if (fine && request.failsWith)
      throw new BadAnswer(`#${number} ${request.method} ${request.path}: ${answer.status}, not ${request.failsWith}`)
    if (fine && request.makes) remember(account, request.makes, answer)
    if (request.removes && (fine || answer.status === 404)) forget(account, ...request.removes)
    request.heard?.(answer)
  }
  return clients
}

/** The server to which a host failed to give an interface: upstream's one answer of 500 that says so, as does ours. */
export const attachFailed = ({ status, text }: Pick<Failing, 'status' | 'text'>) =>
  status === 500 ? /Failed to attach network adapter device to ([\w-]+)/.exec(text)?.[1] : undefined

const shown = (body: unknown) =>
  body instanceof Uint8Array ? `${body.length} bytes` : JSON.stringify(body ?? '').slice(0, 300)

function said({ body, status }: Answer): string {
  if (status < 300) return String(Object.values<{ id?: string }>(body ?? {})[0]?.id ?? '')
  return JSON.stringify(body ?? '').slice(0, 160)
}

function chooseProcess({ control, api, dice }: World): Process | undefined {
  const up = [control, api].filter(process => process.cloud)
  return dice.pick(up)
}

const most = 12

export function remember(account: Account, kind: Kind, { body }: Pick<Answer, 'body'>): void {
  const one = (body?.[kind] ?? body) as { id?: string; name?: string }
  const id = kind === 'keypair' ? one.name : one.id
  const list = account.known[kind]
  if (id !== undefined && !list.includes(id)) list.push(id)
  if (list.length > 5 * most) list.shift()
}

export function forget(account: Account, kind: Kind, id: string): void {
  const list = account.known[kind]
  if (list.includes(id)) list.splice(list.indexOf(id), 1)
}
