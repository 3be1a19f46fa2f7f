/** The context: everything that an operation, a saga step or a reconciler may use. Passed explicitly, never global. */
import type { Bus } from './bus/bus.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config/load.ts'
import { type Database, type Db, isDeadlock, outsideTransaction } from './db/database.ts'
import { Forbidden } from './errors.ts'
import type { Events } from './events/events.ts'
import type { AccessRule } from './http/access-rules.ts'
import type { Ids } from './ids.ts'
import { type Log, loggedFacts } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Credentials, Target } from './policy/credentials.ts'
import type { LivePolicy } from './policy/live.ts'
import type { Rule } from './policy/rule.ts'
import type { RequestFacts } from './request-facts.ts'
import type { Sagas } from './saga/engine.ts'
import { ordinal, type Version } from './schema/version.ts'

/** What each service offers the others. Every `contract.ts` adds its own by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: merged into by the services
export interface Contracts {}

/** Who asks: the credentials that policy sees, and what else a token says. */
export interface Identity extends Credentials {
  user_name: string
  user_domain_id: string
  project_name?: string
  role_ids: string[]
  /** Milliseconds since the epoch. */
  expires_at: number
  audit_ids: string[]
  methods: string[]
  application_credential_id?: string
  /** The only requests that the token may make; absent: all. */
  access_rules?: AccessRule[]
  trust_id?: string
  /** Of an OAuth1 access token that the token was made from. */
  access_token_id?: string
  /** The token itself, for operations about it. Never logged. */
  token?: string
}

/** Cells hold compute's per-server tables. */
export interface Cells {
  /** The database of a cell: inside a transaction, that transaction. */
  for(cell: string): Db
}

/** What lives as long as the cloud. */
export interface Env {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly database: Database
  readonly bus: Bus
  readonly events: Events
  readonly sagas: Sagas
  readonly metrics: Metrics
  readonly policy: LivePolicy
  readonly services: Contracts
  readonly config: Config
  /** The cloud's base address as its users reach it, without a slash at the end. */
  readonly publicUrl: string
  /** Who a token belongs to; undefined when it is not valid. */
  authenticate(token: string): Promise<Identity | undefined>
  /** Asks a reconciler to run soon, in the process that keeps them. */
  signal(reconciler: string): void
}

export interface Ctx extends Env, RequestFacts {
  readonly identity: Identity
  /** The base address by which the caller reached us, without a slash at the end. */
  readonly base: string
  /** The path below which the service's links begin for this caller; empty where the service has but one. */
  readonly root: string
  /** The root database, or the open transaction. */
  readonly db: Db
  readonly cells: Cells
  /** The API version of the request as an ordinal; the newest for internal work. */
  readonly version: number
  /** True when the request's API version is at least `version`. */
  atLeast(version: Version): boolean
  /** Runs `fn` in a transaction; inside one already, joins it. It runs anew when the database has ended it for others' sake. */
  transaction<T>(fn: (ctx: Ctx) => Promise<T>): Promise<T>
  /** Runs `fn` once the transaction is committed; at once outside of one. Not run when it is rolled back. */
  afterCommit(fn: () => void): void
  /**
   * Runs `fn` in the open transaction once all its other work is done, once for each key (at once outside of one). For rows that every
   * transaction changes, such as a counter: they are then locked for the shortest time and last, so that none waits for another in a circle.
   */
  beforeCommit(key: string, fn: (ctx: Ctx) => Promise<void>): Promise<void>
  /**
   * What somebody answers who may take long, such as a program of others: no transaction stays open for it. An open one is undone, `ask` runs,
   * and the transaction runs anew with the answer in this place; what it says is then as old as that. `ask` may not use the database of its caller.
   */
  outside<T>(ask: () => Promise<T>): Promise<T>
  /** Whether the caller may do what the rule guards. Without a target, it is the caller's own project and user. */
  can(rule: Rule, target?: Target): boolean
  /** Like `can`, but throws `Forbidden`. */
  enforce(rule: Rule, target?: Target): void
  /** The same context acting for the cloud itself, with all rights; for work that the caller may not do directly. */
  elevated(): Ctx
}

export interface CtxOptions extends RequestFacts {
  identity: Identity
  base?: string
  root?: string
  version?: number
}

/** The identity of the cloud itself: reconcilers and first start act as this. */
export const systemIdentity: Identity = {
  user_id: 'system',
  user_name: 'system',
  user_domain_id: 'default',
  system_scope: 'all',
  roles: ['admin', 'manager', 'member', 'reader', 'service'],
  role_ids: [],
  is_admin: true,
  expires_at: Number.MAX_SAFE_INTEGER,
  audit_ids: [],
  methods: [],
}

/** The identity of a request without a token, for public operations. */
export const anonymous: Identity = {
  ...systemIdentity,
  user_id: '',
  user_name: '',
  roles: [],
  is_admin: false,
  system_scope: undefined as never,
}

/** State that lives as long as one cloud (caches, indexes), made when first asked for. Several clouds may share a process. */
export function perCloud<T>(make: (env: Env) => T): (env: Env) => T {
  const states = new WeakMap<Database, T>()
  return env => {
    const known = states.get(env.database)
    if (known !== undefined) return known
    const made = make(env)
    states.set(env.database, made)
    return made
  }
}

const newest = Number.MAX_SAFE_INTEGER

export function createCtx(env: Env, options: CtxOptions): Ctx {
  return build(env, options, env.database.root, undefined)
}

/** A context for work that no request asked for. */
export function systemCtx(env: Env, options: { requestId?: string } = {}): Ctx {
  return createCtx(env, { requestId: options.requestId ?? `req-${env.ids.uuid()}`, identity: systemIdentity })
}

interface CommitHooks {
  before: Map<string, (ctx: Ctx) => Promise<void>>
  after: (() => void)[]
  /** The next answer of `outside` in the order in which the transaction asks; asks and begins the transaction anew where there is none yet. */
  answer<T>(ask: () => Promise<T>): Promise<T>
}

/** Ends a transaction until the answer is there. */
class Unanswered extends Error {
  readonly ask: () => Promise<unknown>
  constructor(ask: () => Promise<unknown>) {
    super('a transaction is begun anew once what it asks is answered')
    this.ask = ask
  }
}

function newHooks(answers: readonly unknown[]): CommitHooks {
  let asked = 0
  return {
    before: new Map(),
    after: [],
    async answer(ask) {
      if (asked === answers.length) throw new Unanswered(ask)
      return answers[asked++] as never
    },
  }
}

/** What was committed stays: a hook that fails may not make its request fail. */
function runAfterCommit(log: () => Log, hook: () => void): void {
  try {
    outsideTransaction(hook)
  } catch (error) {
    log().error({ err: error }, 'what follows a commit failed')
  }
}

function logOf({ log }: Env, { identity, ...facts }: CtxOptions): Log {
  return log.child({ ...loggedFacts(facts), ...(identity.user_id && { user_id: identity.user_id }) })
}

/** How often a transaction is begun again that waited for others in a circle. */
const deadlockRetries = 5

/** Made when first used: most requests that only read log nothing. */
function lazyLog(env: Env, options: CtxOptions): () => Log {
  let made: Log | undefined
  return () => {
    made ??= logOf(env, options)
    return made
  }
}

/** The prototype of contexts: an object that has a getter of its own costs five times as much to make. */
const logging: Pick<Ctx, 'log'> & ThisType<{ lazyLog(): Log }> = {
  get log() {
    return this.lazyLog()
  },
}

function build(
  env: Env,
  options: CtxOptions,
  db: Db,
  commitHooks: CommitHooks | undefined,
  log = lazyLog(env, options),
): Ctx {
  const { identity } = options
  const version = options.version ?? newest
  const subject: Target = { project_id: identity.project_id, user_id: identity.user_id, domain_id: identity.domain_id }
  // Named one by one, since to spread what has getters is slow as well.
  const own = {
    lazyLog: log,
    clock: env.clock,
    ids: env.ids,
    database: env.database,
    bus: env.bus,
    events: env.events,
    sagas: env.sagas,
    metrics: env.metrics,
    policy: env.policy,
    services: env.services,
    config: env.config,
    publicUrl: env.publicUrl,
    authenticate: env.authenticate,
    signal: env.signal,
    requestId: options.requestId,
    globalRequestId: options.globalRequestId,
    clientTag: options.clientTag,
    identity,
    base: options.base ?? env.publicUrl,
    root: options.root ?? '',
    db,
    cells: { for: () => db },
    version,
    atLeast: v => version >= ordinal(v),
    async transaction(fn) {
      if (commitHooks) return fn(ctx)
      const answers: unknown[] = []
      for (let left = deadlockRetries; ; ) {
        const hooks = newHooks(answers)
        try {
          const result = await env.database.transaction(async tx => {
            const inside = build(env, options, tx, hooks, log)
            const made = await fn(inside)
            for (const hook of hooks.before.values()) await hook(inside)
            return made
          })
          for (const hook of hooks.after) runAfterCommit(log, hook)
          return result
        } catch (error) {
          if (error instanceof Unanswered) answers.push(await error.ask())
          else if (left-- === 0 || !isDeadlock(error)) throw error
        }
      }
    },
    afterCommit: fn => (commitHooks ? void commitHooks.after.push(fn) : outsideTransaction(fn)),
    async beforeCommit(key, fn) {
      if (!commitHooks) await fn(ctx)
      else if (!commitHooks.before.has(key)) commitHooks.before.set(key, fn)
    },
    outside: ask => (commitHooks ? commitHooks.answer(ask) : ask()),
    can: (rule, target = subject) => env.policy.allows(rule.name, identity, target),
    enforce(rule, target = subject) {
      if (!env.policy.allows(rule.name, identity, target)) {
        throw new Forbidden(`Policy doesn't allow ${rule.name} to be performed.`, { type: 'PolicyNotAuthorized' })
      }
    },
    elevated: () =>
      build(env, { ...options, identity: { ...systemIdentity, project_id: identity.project_id! } }, db, commitHooks),
  } satisfies Omit<Ctx, 'log'> & { lazyLog: () => Log }
  const ctx: Ctx = Object.setPrototypeOf(own, logging)
  return ctx
}
