/** An operation: one exported value that says all there is to one route. Everything else (validation, policy, docs, CLI, tests) is made from it. */
import type { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'
import type { Ctx } from './context.ts'
import type { Target } from './policy/credentials.ts'
import type { Rule } from './policy/rule.ts'
import { ordinal, type Version } from './schema/version.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD'

type ParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never
export type Params<Path extends string> = { [K in ParamNames<Path>]: string }

/** What a handler gets. */
export interface Request<Path extends string, Query, Body, Loaded> {
  params: Params<Path>
  query: Query
  body: Body
  /** What `load` returned. */
  target: Loaded
  headers: Record<string, string | undefined>
  method: string
  /** The address that the request came from. */
  source: string
  /** Path and query as sent, for links to the next page. */
  url: string
  /** The body's bytes, for operations with `raw: true`. */
  stream: Readable
  /** Aborted when the client goes away. */
  signal: AbortSignal
}

/** An answer with its own status or headers. Anything else that a handler returns is the body, with the operation's status. */
export class Reply {
  readonly body: unknown
  readonly status: number | undefined
  readonly headers: Record<string, string>
  constructor(body: unknown, options: { status?: number; headers?: Record<string, string> } = {}) {
    this.body = body
    this.status = options.status
    this.headers = options.headers ?? {}
  }
}

export function reply(body: unknown, options?: { status?: number; headers?: Record<string, string> }): Reply {
  return new Reply(body, options)
}

export interface OperationSpec<Path extends string, Q extends TSchema, B extends TSchema, R extends TSchema, Loaded> {
  /** `service.resource.verb`, as the CLI reads. */
  id: string
  method: Method
  /** From the service's root, `/v2.1/servers/{server_id}`. A last parameter written `{name*}` takes the rest of the path. */
  path: Path
  /** For routes that share a POST: the key of the body that chooses this operation. */
  action?: string
  summary: string
  /** The API versions that have it. */
  versions?: { min?: Version; max?: Version }
  /** `public`: no token is needed. `authenticated`: any valid token. Rules with a target are checked on what `load` returns. */
  policy: Rule | 'public' | 'authenticated'
  /** Unknown query parameters are ignored unless the schema forbids them. */
  query?: Q
  request?: B
  /** What a body is that `handle` checks itself, in its service's own words: published, not checked. `nothing`: none is taken. */
  takes?: TSchema | 'nothing'
  /** The shape of the answer at the newest version. */
  response?: R
  /** The content type of an answer that is not JSON. */
  answers?: string
  /** Status of a plain answer; by default 200, or 204 without a body. Of an operation that always refuses, that of the refusal. */
  status?: number
  /** The body is a stream, not JSON. */
  raw?: boolean
  /** Content types of a JSON body other than application/json. */
  accepts?: string[]
  /**
   * Inputs that have a successor, each with its name: a path into the body (`server.personality`), or `*` for the operation as a whole. Using one is
   * told in the log.
   */
  outdated?: Record<string, string>
  /** Loads what the request is about, before policy is checked on it. Throws `NotFound` for what the caller may not see. */
  load?(ctx: Ctx, request: Request<Path, unknown, unknown, undefined>): Promise<Loaded>
  handle(ctx: Ctx, request: Request<Path, Static<Q>, Static<B>, Loaded>): Promise<Static<R> | Reply | undefined>
}

/** An operation with its types erased, as the kernel handles them. */
export interface Operation {
  readonly id: string
  readonly method: Method
  readonly path: string
  readonly action?: string
  readonly summary: string
  readonly versions?: { min?: Version; max?: Version }
  readonly policy: Rule | 'public' | 'authenticated'
  readonly query?: TSchema
  readonly request?: TSchema
  readonly takes?: TSchema | 'nothing'
  readonly response?: TSchema
  readonly answers?: string
  readonly status?: number
  readonly raw?: boolean
  readonly accepts?: string[]
  readonly outdated?: Record<string, string>
  load?(ctx: Ctx, request: Request<string, unknown, unknown, undefined>): Promise<Target | undefined>
  handle(ctx: Ctx, request: Request<string, unknown, unknown, unknown>): Promise<unknown>
}

export function operation<
  const Path extends string,
  Q extends TSchema = TSchema,
  B extends TSchema = TSchema,
  R extends TSchema = TSchema,
  Loaded = undefined,
>(spec: OperationSpec<Path, Q, B, R, Loaded>): Operation {
  return spec as unknown as Operation
}

/** Whether an API version, as a number, has the operation. */
export function inVersion({ versions }: Operation, version: number): boolean {
  return (!versions?.min || ordinal(versions.min) <= version) && (!versions?.max || ordinal(versions.max) >= version)
}
