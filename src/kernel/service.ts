/** A service's front door: one value with all that the composition root needs to serve it. */
import type { Config } from './config/load.ts'
import type { Section } from './config/section.ts'
import type { Ctx, Env } from './context.ts'
import type { Migration } from './db/migrate.ts'
import type { Fault } from './errors.ts'
import type { Renderer } from './events/notification.ts'
import type { HealthCheck } from './health.ts'
import type { StaticFolder } from './http/files.ts'
import type { Upgrades } from './http/upgrade.ts'
import type { Operation } from './operation.ts'
import type { Rule } from './policy/rule.ts'
import type { Reconciler } from './reconcile.ts'
import type { Saga } from './saga/saga.ts'
import type { Version } from './schema/version.ts'

export interface Microversions {
  /** As in `OpenStack-API-Version: compute 2.90`. */
  serviceType: string
  /** How the header's name is written in `Vary`, where it is not so. */
  vary?: string
  /** An older header that carries the bare version (`X-OpenStack-Nova-API-Version`). */
  legacyHeader?: string
  min: Version
  max: Version
  /** Versions below 1.0 are well-formed here, and refused as others that are unknown (406); elsewhere they are malformed (400). */
  zeroMajor?: boolean
}

/** The body of an error answer, in the service's own shape. Text is sent as it is. */
export type FaultShape = (
  fault: Fault,
  about: { requestId: string; version: number; accept: string | undefined },
) => { body: unknown; contentType?: string }

/** A request that may be turned away. */
export interface Admission {
  method: string
  /** Below the service's own. */
  path: string
  accept: string | undefined
  /** The id of the operation that it asks for. */
  operation: string
}

export interface Service {
  /** As in the catalog: `compute`. */
  readonly type: string
  /** As in the catalog: `nova`. */
  readonly name: string
  /** The prefix on the one port: `/compute`. */
  readonly path: string
  /** Not in the catalog: no client is to look for it. */
  readonly unlisted?: boolean
  readonly microversions?: Microversions
  /** A slash at the end of a path stands before an empty name, and is not found; else it says nothing. */
  readonly strictSlashes?: boolean
  /** A second header that carries the request's id: `x-compute-request-id`. */
  readonly requestIdHeader?: string
  readonly operations: readonly Operation[]
  readonly faults: FaultShape
  /** Rules that no operation carries, checked by handlers. */
  readonly rules?: readonly Rule[]
  readonly sagas?: readonly Saga[]
  readonly reconcilers?: readonly Reconciler[]
  readonly migrations?: readonly Migration[]
  readonly config?: Section
  /** The service as a configuration has it, asked for once before a start; by default it is the same whatever is configured. */
  readonly configured?: (config: Config) => Promise<Service>
  /** Functions for the other services; each takes the caller's `ctx`. */
  readonly contract?: object
  /**
   * Whether a path, as it was asked for, is one of an API from before microversions: it speaks the oldest version whatever the headers say,
   * and what a body has too much is ignored.
   */
  readonly relaxed?: (path: string) => boolean
  /** Turns older forms of the service's paths into today's (Nova's project id in the path). */
  readonly rewrite?: (path: string) => string
  /** The beginning of a path, as it was asked for, that links in the answer repeat. */
  readonly root?: (path: string) => string
  /** Before anything is done for a caller who is known. What it throws is the answer. */
  readonly admit?: (ctx: Ctx, request: Admission) => Promise<void>
  /** WebSockets on the one port, by path from its root. */
  readonly upgrades?: Upgrades
  /** Pages for browsers on the one port. */
  readonly pages?: readonly StaticFolder[]
  /** Runs at start in every process, after the migrations: first contents, caches. What it returns is disposed of at the end. */
  readonly start?: (env: Env) => Promise<AsyncDisposable | undefined>
  /** Runs at start in the one process that keeps sagas and reconcilers: what hosts call. What it returns is disposed of at the end. */
  readonly control?: (env: Env) => Promise<AsyncDisposable>
  /** How its events read as notifications. */
  readonly notifications?: Renderer
  readonly health?: readonly HealthCheck[]
}

/** The services as a configuration has them. */
export function configured(services: readonly Service[], config: Config): Promise<Service[]> {
  return Promise.all(services.map(one => one.configured?.(config) ?? one))
}

export function service(definition: Service): Service {
  return definition
}
