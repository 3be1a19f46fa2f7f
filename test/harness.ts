/** A whole cloud in the test's process: SQLite in memory (or the database that is given), in-process bus, virtual or real time. */
import { appendFileSync } from 'node:fs'
import { getTestContext } from 'node:test'
import type { InjectOptions } from 'fastify'
import { type Cloud, createCloud, migrationSets, sections } from '../src/cloud.ts'
import type { Bus } from '../src/kernel/bus/bus.ts'
import { inProcessBus } from '../src/kernel/bus/in-process.ts'
import { type Clock, keepAlive, systemClock } from '../src/kernel/clock.ts'
import { loadConfig } from '../src/kernel/config/load.ts'
import type { Database } from '../src/kernel/db/database.ts'
import { openMigrated } from '../src/kernel/db/migrated.ts'
import { type Ids, systemIds } from '../src/kernel/ids.ts'
import { createLog, type Log, silentLog } from '../src/kernel/log.ts'
import type { CheckSource } from '../src/kernel/policy/rule.ts'
import type { SagaProbe } from '../src/kernel/saga/run.ts'
import { newDatabase } from '../src/new-database.ts'

export interface TestCloudOptions {
  clock?: Clock
  /** By default one within the process; one that is given is closed with the cloud, too. */
  bus?: Bus
  ids?: Ids
  database?: Database
  /** `section.key=value` */
  set?: string[]
  /** What policy.yaml says. */
  policyOverrides?: Record<string, CheckSource>
  /** Shows the log on standard error. */
  verbose?: boolean
  /** Where the log goes instead. */
  log?: Log
  /** Called at every step of every saga. */
  sagaProbe?: SagaProbe
  /** Checks every answer against its schema; true unless time is measured. */
  validateResponses?: boolean
}

export interface Answer<T = Record<string, never>> {
  status: number
  headers: Record<string, string>
  body: T
}

export interface TestProject {
  id: string
  name: string
  user_id: string
  /** Token of a member. */
  token: string
}

export interface TestCloud extends Cloud {
  /** Timers keep no process alive, so this does while the cloud is there. A story that abandons its cloud disposes of it, and the end of the test. */
  readonly alive: Disposable
  /** A token of `admin` (role admin on project admin) or `demo` (role member on project demo); their passwords are their names. */
  login(user: string, scope?: unknown): Promise<string>
  /** A project of its own, with a user who has the role there (by default member) and the user's token. */
  project(name: string, role?: string): Promise<TestProject>
  /** A request as `who` (a token), without a socket. */
  request<T = Record<string, never>>(
    method: string,
    url: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer<T>>
}

/** Hashing a password as slowly as a real cloud must is wasted on tests. */
const testSettings = [
  'cloud.public_url=http://cloud.test',
  'identity.password_memory_kib=8',
  'identity.password_passes=1',
]

/** Paths of endpoints in the catalog, where they are longer than the service's own. */
const endpointPaths: Record<string, string> = { compute: '/compute/v2.1', volume: '/volume/v3' }

/** Puts away, when the test that runs is over, what it would have put away itself had it not failed. Outside of tests that is its maker's. */
export function atEndOfTest(work: () => void | Promise<void>): void {
  const context = getTestContext()
  if (context && 'after' in context) context.after(work)
}

/** A cloud's database with nothing in it. */
export const openMemory = () => openMigrated(migrationSets, newDatabase)

export async function testCloud(options: TestCloudOptions = {}): Promise<TestCloud> {
  using stack = new DisposableStack()
  const alive = stack.use(keepAlive())
  atEndOfTest(() => alive[Symbol.dispose]())
  const clock = options.clock ?? systemClock()
  const log = options.log ?? (options.verbose ? createLog({ level: 'debug' }) : silentLog())
  const database = options.database ?? (await openMemory())
  const bus = options.bus ?? inProcessBus(clock, log)
  const config = loadConfig(sections, { overrides: [...testSettings, ...(options.set ?? [])] })
  const cloud = await createCloud({
    config,
    database,
    bus,
    clock,
    ids: options.ids ?? systemIds(),
    log,
    validateResponses: options.validateResponses ?? true,
    ...(options.sagaProbe && { sagaProbe: options.sagaProbe }),
    ...(options.policyOverrides && { policyOverrides: options.policyOverrides }),
  })
  await cloud.env.services.identity.bootstrap(cloud.ctx(), {
    admin_password: 'admin',
    demo_password: 'demo',
    region: 'RegionOne',
    endpoints: cloud.services.map(s => ({ type: s.type, name: s.name, path: endpointPaths[s.type] ?? s.path })),
  })
  const harness: TestCloud = {
    ...cloud,
    alive: stack.move(),
    async login(name, scope) {
      const user = { name, domain: { id: 'default' }, password: name }
      const auth = { identity: { methods: ['password'], password: { user } }, ...(scope !== undefined && { scope }) }
      const answer = await harness.request('POST', '/identity/v3/auth/tokens?nocatalog', { body: { auth } })
      if (answer.status !== 201) throw new Error(`no token for ${name}: ${JSON.stringify(answer.body)}`)
      return answer.headers['x-subject-token']!
    },
    async project(name, role = 'member') {
      const { project_id, user_id } = await cloud.env.services.identity.ensureAccount(cloud.ctx(), {
        project: name,
        user: name,
        password: name,
        role,
      })
      return { id: project_id, name, user_id, token: await harness.login(name) }
    },
    async request<T>(
      method: string,
      url: string,
      { token, body, headers }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
    ) {
      const answer = await cloud.http.inject({
        method: method as NonNullable<InjectOptions['method']>,
        url,
        headers: { host: 'cloud.test', ...(token && { 'x-auth-token': token }), ...headers },
        ...(body !== undefined && { payload: body as NonNullable<InjectOptions['payload']> }),
      })
      const text = answer.body
      const isJson = String(answer.headers['content-type'] ?? '').includes('json')
      return {
        status: answer.statusCode,
        headers: answer.headers as Record<string, string>,
        body: (isJson && text ? JSON.parse(text) : text) as T,
      }
    },
    async [Symbol.asyncDispose]() {
      using _alive = harness.alive
      if (process.env.NEPHOS_TEST_CALLS) await noteCalls(cloud, process.env.NEPHOS_TEST_CALLS)
      await cloud[Symbol.asyncDispose]()
      await bus[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
  return harness
}

/** Adds the ids of the operations that gave good answers to a file, one a line. 410 and 501 are said on purpose, and good too. */
async function noteCalls(cloud: Cloud, file: string): Promise<void> {
  const { body } = await cloud.env.metrics.page()
  const counted = /^nephos_http_requests_total\{.*?operation="([^"]*)",status="(\d+)"/gm
  const good = [...body.matchAll(counted)].filter(([, , status]) => status! < '400' || ['410', '501'].includes(status!))
  appendFileSync(file, `${[...new Set(good.map(([, id]) => id))].join('\n')}\n`)
}
