/**
 * What an extension of the compute API is: a module's `extension`, one plain value. Authors import these types as `nephos/extension`, so nothing is
 * imported here.
 */

export interface Extension {
  /** As `GET /v2.1/extensions` lists it, such as `x-notes`. No part of the API has it yet. */
  readonly alias: string
  readonly name: string
  readonly description: string
  /** When it last changed: `2026-11-22T00:00:00Z`. */
  readonly updated: string
  readonly operations?: readonly ExtensionOperation[]
  /** Fields of servers by their names, which begin with the alias and a colon: `x-notes:label`. */
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly hooks?: Hooks
}

export type JsonSchema = Readonly<Record<string, unknown>>

/** A field that servers are created with and shown with, at every API version; null on servers that have none. */
export interface Attribute {
  readonly schema: JsonSchema
  /** Only shown: requests to create servers may not carry it. The extension says what it is. */
  readonly read_only?: boolean
}

export interface ExtensionOperation {
  /** `compute.x_notes.list`: its name in logs and metrics, and for the faults of a simulated cloud. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /**
   * From the service's root: `/v2.1/os-x-notes/{server_id}`. Whoever may not see the server that `{server_id}` names gets a 404, the policy is checked on its
   * project, and `request.server` is that server.
   */
  readonly path: string
  /** Of `POST /v2.1/servers/{server_id}/action`: the key of the body that chooses it. */
  readonly action?: string
  readonly summary: string
  /** A check in the language of `policy.yaml`, such as `rule:project_member_or_admin`, and the name by which it may be overridden there. */
  readonly policy: { readonly name: string; readonly check: string; readonly description?: string }
  readonly query?: JsonSchema
  /** Of the body; POST, PUT and PATCH have one. */
  readonly request?: JsonSchema
  /** Of the answer; GET has one. */
  readonly response?: JsonSchema
  /** Of a good answer; by default 200, or 204 for `undefined`. */
  readonly status?: number
  /** The API versions that have it; by default all. */
  readonly versions?: { readonly min?: `${number}.${number}`; readonly max?: `${number}.${number}` }
  /** Returns the answer's body. */
  handle(ctx: ExtensionContext, request: ExtensionRequest): unknown
}

export interface ExtensionRequest {
  readonly params: Readonly<Record<string, string>>
  /** Has the form that the operation's schemas ask for. */
  // biome-ignore lint/suspicious/noExplicitAny: the author's own schemas say what they are
  readonly query: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly body: any
  /** There where the path has `{server_id}`. */
  readonly server?: ServerFacts
}

export interface ServerFacts {
  readonly id: string
  readonly name: string
  readonly project_id: string
  readonly user_id: string
}

/** A server that is shown, with those of the extension's attributes that are kept of it. */
export interface ShownServer extends ServerFacts {
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Hooks {
  /**
   * Before servers are created: `POST /v2.1/servers`, also for several, and each server of a bundle. It is called once a request and outside of any transaction,
   * for requests that are only tried out as well: it should look and say, not act. Returns the fields of `server` that are to be others, or nothing.
   * To refuse the request: `throw ctx.fault(403, 'why')`.
   */
  create?(
    ctx: ExtensionContext,
    asked: { readonly server: Readonly<Record<string, unknown>> },
  ): Changes | Promise<Changes>
  /**
   * What the extension's attributes show, by server and attribute; of the others it is what is kept. It is called once for all servers of an answer. When it fails
   * the servers are shown all the same, with what is kept.
   */
  show?(ctx: ExtensionContext, servers: readonly ShownServer[]): Shown | Promise<Shown>
}

export type Changes = Record<string, unknown> | undefined
export type Shown = Record<string, Record<string, unknown>>

export interface ExtensionContext {
  /** Who asks. */
  readonly caller: {
    readonly user_id: string
    /** Absent in tokens that are for no project. */
    readonly project_id?: string
    readonly roles: readonly string[]
    readonly is_admin: boolean
  }
  readonly request_id: string
  /** Milliseconds since the epoch, by the cloud's clock. */
  now(): number
  /** An error that is the answer, from 400 on: `throw ctx.fault(409, 'The label is taken.')`. */
  fault(status: number, message: string): Error
  /** The values that are kept of the extension's attributes. They go with their servers. */
  readonly values: Values
  /** Aborted when the time of a hook is over, or when who asked for an operation has gone. */
  readonly signal: AbortSignal
  readonly log: Record<'info' | 'warn' | 'error', (facts: Record<string, unknown>, text: string) => void>
}

export interface Values {
  /** By server; only of those that have one. One statement for any number of servers. */
  of(attribute: string, server_ids: readonly string[]): Promise<ReadonlyMap<string, unknown>>
  /** A page of the servers in the caller's project that have one, in the order of their ids; `marker` is the last id of the page before. */
  list(
    attribute: string,
    page?: { readonly limit?: number; readonly marker?: string },
  ): Promise<{ server_id: string; value: unknown }[]>
  /** A fault when it is not what the attribute's schema asks for or too long, or the server is gone. Null takes it away. */
  set(attribute: string, server_id: string, value: unknown): Promise<void>
}
