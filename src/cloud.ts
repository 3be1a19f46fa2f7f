/** The composition root: configuration, database, bus and services become one running, disposable cloud. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Bus } from '#kernel/bus/bus.ts'
import type { Clock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Config } from '#kernel/config/load.ts'
import type { Contracts, Ctx, Env } from '#kernel/context.ts'
import { systemCtx } from '#kernel/context.ts'
import { controlOver } from '#kernel/control.ts'
import type { Database } from '#kernel/db/database.ts'
import { type MigrationSet, migrate } from '#kernel/db/migrate.ts'
import { createEvents } from '#kernel/events/events.ts'
import type { Health } from '#kernel/health.ts'
import { housekeeping } from '#kernel/housekeeping.ts'
import type { Around } from '#kernel/http/dispatch.ts'
import { createHttp } from '#kernel/http/server.ts'
import type { Ids } from '#kernel/ids.ts'
import type { Log } from '#kernel/log.ts'
import { createMetrics } from '#kernel/metrics.ts'
import { kernelMigrations } from '#kernel/migrations.ts'
import { livePolicy } from '#kernel/policy/live.ts'
import type { CheckSource, Rule } from '#kernel/policy/rule.ts'
import { type ReconcilerRunner, startReconcilers } from '#kernel/reconcile.ts'
import { createSagas } from '#kernel/saga/engine.ts'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { unfinishedSagas } from '#kernel/saga/unfinished.ts'
import { configured, type Service } from '#kernel/service.ts'
import { wholeCloud } from '#kernel/whole.ts'
import { newDatabase } from './new-database.ts'
import { eventConfig } from './services/event/config.ts'
import { services as allServices } from './services.ts'

export interface CloudOptions {
  config: Config
  database: Database
  bus: Bus
  clock: Clock
  ids: Ids
  log: Log
  policyOverrides?: Record<string, CheckSource>
  /** By default all there are. */
  services?: readonly Service[]
  /** Called at every step of every saga; for tests and simulated clouds. */
  sagaProbe?: SagaProbe
  /** Stands around every operation; for simulated clouds. */
  around?: Around
  /** Checks every answer against its schema; for tests. */
  validateResponses?: boolean
  /** Serves the API only: sagas, reconcilers and hosts are those of another process on the same bus and database. */
  apiOnly?: boolean
  /** Such a process that is a node of its own, and runs what each node runs for itself. */
  isNode?: boolean
  /** The name of this process among several of one cloud. */
  processName?: string
  /** The names of the processes that serve the API beside this one. */
  apiProcesses?: () => readonly string[]
}

export interface Cloud extends AsyncDisposable {
  readonly env: Env
  readonly http: FastifyInstance
  readonly services: readonly Service[]
  /** A context that acts for the cloud itself. */
  ctx(): Ctx
  /** Answers on an address from now on; port 0 takes a free one. Returns the base address. */
  listen(host: string, port: number): Promise<string>
  /** Other processes serve the API at this address; returns it. */
  servedAt(url: string): string
  /** How the whole cloud is, all its processes and hosts included. */
  health(): Promise<Health>
  /** Begins timers and takes up unfinished sagas. Called once hosts are there. */
  begin(): Promise<void>
  /** Runs a reconciler now and waits for its end. */
  reconcile(id: string): Promise<void>
}

/** The sections of configuration of all services. */
export const sections = [cloudConfig, ...allServices.flatMap(s => (s.config ? [s.config] : []))]

/** Every migration there is, in the order of the services. */
export const migrationSets: MigrationSet[] = [
  { owner: 'kernel', migrations: kernelMigrations },
  ...allServices.map(s => ({ owner: s.type, migrations: [...(s.migrations ?? [])] })),
]

/** The policy rules of services. */
export function rulesOf(all: readonly Service[]): Rule[] {
  return all.flatMap(s => [
    ...(s.rules ?? []),
    ...s.operations.flatMap(o => (typeof o.policy === 'object' ? [o.policy] : [])),
  ])
}

export async function createCloud(options: CloudOptions): Promise<Cloud> {
  const { config, database, bus, clock, ids, log } = options
  const services = await configured(options.services ?? allServices, config)
  const disposables: AsyncDisposable[] = []
  const reconcilers = [housekeeping, unfinishedSagas, ...services.flatMap(s => s.reconcilers ?? [])]
  const control = options.apiOnly ? controlOver(bus) : undefined
  const own = control ? reconcilers.filter(one => options.isNode && one.everyNode) : reconcilers
  let runner: ReconcilerRunner | undefined
  let address = config.of(cloudConfig).public_url.replace(/\/$/, '')

  const contracts = Object.fromEntries(
    services.map(s => [s.type.replace(/-./g, m => m[1]!.toUpperCase()), s.contract]),
  ) as unknown as Contracts
  const definitions = services.flatMap(s => s.sagas ?? [])
  const renderers = services.flatMap(s => s.notifications ?? [])
  const sagas = control ? control.sagas(definitions) : createSagas(() => env, definitions, options.sagaProbe)
  const env: Env = {
    clock,
    ids,
    log,
    database,
    bus,
    config,
    sagas,
    events: createEvents(renderers, config.of(eventConfig).notification_format),
    metrics: createMetrics(database, options.processName),
    policy: livePolicy(rulesOf(services), options.policyOverrides),
    services: contracts,
    get publicUrl() {
      return address
    },
    authenticate: token => contracts.identity.authenticate(env, token),
    signal: id => (control && !own.some(one => one.id === id) ? control : runner)?.signal(id),
  }
  for (const warning of env.policy.warnings) log.warn(warning)
  await migrate(database, migrationSets, newDatabase)
  const whole = wholeCloud(env, services, control, options)
  disposables.push(whole)
  for (const service of services) {
    const started = await service.start?.(env)
    if (started) disposables.push(started)
    if (!control && service.control) disposables.push(await service.control(env))
  }
  const http = createHttp(env, services, {
    bodyLimit: config.of(cloudConfig).max_body_bytes,
    validateResponses: options.validateResponses ?? false,
    around: options.around,
    health: whole.health,
    metrics: whole.metrics,
  })

  return {
    env,
    http,
    services,
    ctx: () => systemCtx(env),
    async listen(host, port) {
      await http.listen({ host, port })
      const bound = http.server.address() as AddressInfo
      const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
      address ||= `http://${shown}:${bound.port}`
      return address
    },
    servedAt(url) {
      address ||= url
      return url
    },
    health: whole.health,
    async begin() {
      runner = startReconcilers(env, own)
      await sagas.recover()
    },
    async reconcile(id) {
      runner ??= startReconcilers(env, reconcilers)
      await runner.run(id)
    },
    async [Symbol.asyncDispose]() {
      await http.close()
      await runner?.[Symbol.asyncDispose]()
      await sagas[Symbol.asyncDispose]()
      for (const disposable of disposables.reverse()) await disposable[Symbol.asyncDispose]()
      env.metrics[Symbol.dispose]()
    },
  }
}

/** Waits for the first reports of hosts: a cloud is ready when every part of it answers, and a server can be placed. */
export async function untilHealthy(
  cloud: Cloud,
  hosts: readonly string[],
  { clock, everyMs }: { clock: Clock; everyMs: number } = { clock: cloud.env.clock, everyMs: 20 },
): Promise<void> {
  const { log, services } = cloud.env
  // A look at ten thousand hosts takes its time, and they take theirs.
  const [pauseMs, longestMs] = [everyMs + hosts.length / 10, 10_000 + hosts.length * 20]
  for (const began = clock.monotonic(); ; await clock.sleep(pauseMs)) {
    const { status, parts } = await cloud.health()
    const zones = await services.compute.availabilityZones(cloud.ctx())
    const known = new Set(zones.flatMap(zone => zone.hosts))
    if (status === 'ok' && hosts.every(host => known.has(host))) return
    if (clock.monotonic() - began > longestMs)
      return log.warn({ parts, hosts: [...known] }, 'not every part of the cloud answers')
  }
}
