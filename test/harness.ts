/** A whole cloud in the test's process: SQLite in memory (or the PostgreSQL of NEPHOS_TEST_POSTGRES), in-process bus, virtual or real time. */
import type { InjectOptions } from 'fastify'
import { type Cloud, createCloud, sections } from '../src/cloud.ts'
import { inProcessBus } from '../src/kernel/bus/in-process.ts'
import { type Clock, systemClock } from '../src/kernel/clock.ts'
import { loadConfig } from '../src/kernel/config/load.ts'
import type { Database } from '../src/kernel/db/database.ts'
import { openSqlite } from '../src/kernel/db/sqlite.ts'
import { type Ids, systemIds } from '../src/kernel/ids.ts'
import { createLog, silentLog } from '../src/kernel/log.ts'

export interface TestCloudOptions {
  clock?: Clock
  ids?: Ids
  database?: Database
  /** `section.key=value` */
  set?: string[]
  /** Shows the log on standard error. */
  verbose?: boolean
}

export interface Answer<T = Record<string, never>> {
  status: number
  headers: Record<string, string>
  body: T
}

export interface TestCloud extends Cloud {
  /** A request as `who` (a token), without a socket. */
  request<T = Record<string, never>>(
    method: string,
    url: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer<T>>
}

export async function testCloud(options: TestCloudOptions = {}): Promise<TestCloud> {
  const clock = options.clock ?? systemClock()
  const log = options.verbose ? createLog({ level: 'debug' }) : silentLog()
  const database = options.database ?? openSqlite(':memory:')
  const bus = inProcessBus(clock, log)
  const config = loadConfig(sections, { overrides: ['cloud.public_url=http://cloud.test', ...(options.set ?? [])] })
  const cloud = await createCloud({
    config,
    database,
    bus,
    clock,
    ids: options.ids ?? systemIds(),
    log,
    validateResponses: true,
  })
  return {
    ...cloud,
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
      await cloud[Symbol.asyncDispose]()
      await bus[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}
