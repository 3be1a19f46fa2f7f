/** The walk of a request: ids, version, token, operation, policy, validation, handler, answer. */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { anonymous, type Ctx, createCtx, type Env, type Identity } from '../context.ts'
import { BadRequest, NotFound, Unauthorized, UnsupportedMediaType } from '../errors.ts'
import { loggedFacts } from '../log.ts'
import { inVersion, type Operation, Reply, type Request } from '../operation.ts'
import { prune, schemaAt } from '../schema/marks.ts'
import { problemOf } from '../schema/validate.ts'
import { ordinal } from '../schema/version.ts'
import type { Admission, Service } from '../service.ts'
import { allowedByRules } from './access-rules.ts'
import { sendFault } from './faults.ts'
import { negotiate, versionHeaders } from './negotiate.ts'
import { tellOutdated } from './outdated.ts'
import { requestFacts, tellRequestId } from './request-id.ts'
import type { Found } from './routes.ts'

type AnyRequest = Request<string, unknown, unknown, unknown>

/** A request whose operation and caller are known, and whose work is still to be done. */
export interface Call {
  readonly ctx: Ctx
  readonly service: Service
  readonly operation: Operation
  readonly request: FastifyRequest
}

/** Stands around every operation: may wait, throw a fault, answer in its place, or lose its answer. Returns what is answered. */
export type Around = (call: Call, perform: () => Promise<unknown>) => Promise<unknown>

export interface DispatchOptions {
  /** Checks every answer against its schema; for tests. */
  validateResponses?: boolean
  around?: Around | undefined
}

export async function dispatch(
  env: Env,
  { service, operations }: Found,
  request: FastifyRequest,
  reply: FastifyReply,
  { validateResponses, around = (_call, perform) => perform() }: DispatchOptions,
): Promise<FastifyReply> {
  const facts = requestFacts(env, request)
  const began = env.clock.monotonic()
  let operation: Operation | undefined
  let version = 0
  tellRequestId(service, reply, facts)
  try {
    const path = request.originalUrl.slice(service.path.length)
    const relaxed = service.relaxed?.(path) ?? false
    if (service.microversions && relaxed) version = ordinal(service.microversions.min)
    else if (service.microversions) {
      const text = negotiate(service.microversions, request.headers)
      version = ordinal(text)
      reply.headers(versionHeaders(service.microversions, text))
    } else version = Number.MAX_SAFE_INTEGER
    const isPublic = operations.every(o => o.policy === 'public')
    const identity = isPublic ? anonymous : await authenticate(env, service, request)
    const root = service.root && service.path + service.root(path)
    const ctx = createCtx(env, { ...facts, identity, base: baseOf(env, request), ...(root && { root }), version })
    const chosen = choose(operations, version, request.body)
    operation = chosen
    if (!isPublic) await service.admit?.(ctx, admissionOf(service, chosen, request))
    const call = { ctx, service, operation: chosen, request }
    const answer = await around(call, () => perform(ctx, chosen, request, reply, relaxed))
    if (validateResponses) checkAnswer(operation, answer, version)
    return send(reply, operation, answer, version)
  } catch (error) {
    return sendFault(env, service, request, reply, error, facts, version)
  } finally {
    const labels = { service: service.type, operation: operation?.id ?? 'none', status: reply.statusCode }
    const ms = env.clock.monotonic() - began
    env.metrics.httpRequest(labels, ms / 1000)
    // What only reads leaves no trace, and would be most of the log.
    if (operation && operation.method !== 'GET')
      env.log.info(
        { ...loggedFacts(facts), operation: operation.id, status: reply.statusCode, ms: Math.round(ms) },
        'request answered',
      )
  }
}

const admissionOf = (service: Service, { id }: Operation, { method, url, headers }: FastifyRequest): Admission => ({
  ...{ method, accept: headers.accept, operation: id },
  path: url.split('?')[0]!.slice(service.path.length),
})

async function authenticate(env: Env, service: Service, request: FastifyRequest): Promise<Identity> {
  const token = request.headers['x-auth-token']
  if (typeof token !== 'string' || token === '') throw new Unauthorized()
  const identity = await env.authenticate(token)
  if (!identity) throw new Unauthorized()
  if (identity.access_rules) {
    const path = request.originalUrl.split('?')[0]!.slice(service.path.length)
    const asked = { service: service.type, method: request.method, path }
    if (!allowedByRules(identity.access_rules, asked)) throw new Unauthorized()
  }
  return identity
}

/** How the caller reached us, from a Host header that is nothing but a host. */
function baseOf(env: Env, request: FastifyRequest): string {
  const host = request.headers.host
  return host && /^([\w.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(host)
    ? `${env.publicUrl.slice(0, env.publicUrl.indexOf('/'))}//${host}`
    : env.publicUrl
}

function choose(operations: readonly Operation[], version: number, body: unknown): Operation {
  const present = operations.filter(o => inVersion(o, version))
  const plain = present.find(o => o.action === undefined)
  if (plain) return plain
  if (present.length === 0) throw new NotFound()
  const keys = typeof body === 'object' && body !== null && !(body instanceof Readable) ? Object.keys(body) : []
  const action = present.find(o => keys.includes(o.action!))
  if (!action)
    throw new BadRequest(
      keys.length === 0
        ? 'Malformed request body: an action is missing.'
        : `There is no such action: ${keys.join(', ')}`,
    )
  return action
}

async function perform(
  ctx: Ctx,
  operation: Operation,
  request: FastifyRequest,
  reply: FastifyReply,
  relaxed: boolean,
): Promise<unknown> {
  const abort = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) abort.abort(new Error('the client went away'))
  })
  const params = { ...(request.params as Record<string, string>) }
  if ('*' in params) params[/\{([^}]+)\*\}$/.exec(operation.path)?.[1] ?? '*'] = params['*']!
  if (hasNul(params)) throw new NotFound()
  if (hasNul(request.query as Strings)) throw new BadRequest('A query must not contain the character NUL.')
  const asked: AnyRequest = {
    params,
    query: request.query,
    body: undefined,
    target: undefined,
    headers: request.headers as Record<string, string | undefined>,
    method: request.method,
    source: request.ip,
    url: request.originalUrl,
    stream: request.body instanceof Readable ? request.body : Readable.from([]),
    signal: abort.signal,
  }
  if (operation.query) asked.query = validQuery(operation, asked.query, ctx.version)
  const target = operation.load
    ? await operation.load(ctx, asked as Request<string, unknown, unknown, undefined>)
    : undefined
  asked.target = target
  if (typeof operation.policy === 'object') ctx.enforce(operation.policy, target)
  asked.body = validBody(operation, request, ctx.version, relaxed)
  if (operation.outdated) tellOutdated(ctx, operation, asked.body)
  return operation.handle(ctx, asked)
}

type Strings = Record<string, string | string[]>

/** Not every database can keep a NUL, and no name or id has one. */
function hasNul(strings: Strings): boolean {
  return Object.entries(strings)
    .flat(2)
    .some(text => text.includes('\0'))
}

function validQuery(operation: Operation, query: unknown, version: number): unknown {
  const value = { ...(query as Record<string, unknown>) }
  const problem = problemOf(schemaAt(operation.query!, version), value, 'query')
  if (problem)
    throw new BadRequest(
      `Invalid input for query parameters ${problem.field}. Value: ${shown(problem.value)}. ${problem.message}`,
      { extra: { query: problem.message, rule: problem.rule } },
    )
  return value
}

function validBody(operation: Operation, request: FastifyRequest, version: number, relaxed: boolean): unknown {
  if (operation.raw) return undefined
  let body = request.body
  if (body instanceof Readable) {
    if (operation.request === undefined) return undefined
    // Some clients send JSON without saying so; an empty body of any type is no body.
    if (request.headers['content-length'] !== '0' && request.headers['content-type'])
      throw new UnsupportedMediaType(
        `Unsupported Content-Type ${request.headers['content-type']}: send application/json.`,
      )
    body = undefined
  }
  if (operation.request === undefined) return body
  if (
    operation.accepts &&
    !operation.accepts.includes(request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '')
  ) {
    throw new UnsupportedMediaType(`Supported content types are ${operation.accepts.join(', ')}.`)
  }
  if (body === undefined || body === null)
    throw new BadRequest('Malformed request body: a JSON body is required.', { extra: { malformed: true } })
  const problem = problemOf(schemaAt(operation.request, version), body, relaxed ? 'relaxed' : 'body')
  if (problem) {
    // Nova's words; the other services' fault shapes pass them on.
    throw new BadRequest(
      problem.field
        ? `Invalid input for field/attribute ${problem.field.split('.').at(-1)}. Value: ${shown(problem.value)}. ${problem.message}`
        : problem.message,
      { extra: { field: problem.field, reason: problem.message, rule: problem.rule } },
    )
  }
  return body
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text && text.length > 400 ? `${text.slice(0, 400)}…` : String(text)
}

function send(reply: FastifyReply, operation: Operation, answer: unknown, version: number): FastifyReply {
  const full = answer instanceof Reply ? answer : new Reply(answer)
  const body = full.body
  if (operation.response && typeof body === 'object' && body !== null && !(body instanceof Readable))
    prune(body, operation.response, version)
  const empty = body === undefined || body === null
  reply.status(full.status ?? operation.status ?? (empty ? 204 : 200))
  reply.headers(full.headers)
  if (empty) return reply.send()
  if (body instanceof Readable || Buffer.isBuffer(body) || typeof body === 'string') return reply.send(body)
  if (!reply.hasHeader('content-type')) reply.header('content-type', 'application/json')
  // As bytes: to a text the framework would add a charset, which upstream does not send.
  return reply.send(Buffer.from(JSON.stringify(body)))
}

/** In tests: an answer that its own schema does not know is a bug. */
function checkAnswer(operation: Operation, answer: unknown, version: number): void {
  const body = answer instanceof Reply ? answer.body : answer
  const status = answer instanceof Reply ? (answer.status ?? 200) : 200
  if (body === undefined || body === null || body instanceof Readable || status >= 300) return
  if (!operation.response) {
    if (operation.answers || operation.raw || body === '') return
    throw new Error(`answer of ${operation.id} has no schema: say its response, or what it answers`)
  }
  const copy = JSON.parse(JSON.stringify(body))
  prune(copy, operation.response, version)
  const sent = JSON.parse(JSON.stringify(copy))
  const problem = problemOf(schemaAt(operation.response, version), sent)
  if (problem)
    throw new Error(`answer of ${operation.id} does not match its schema: ${problem.field}: ${problem.message}`)
}
