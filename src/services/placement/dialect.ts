/** What the resources of the placement API have in common: rules, dated answers, links and the forms of names. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, NotAcceptable, UnsupportedMediaType } from '#kernel/errors.ts'
import { acceptsJson } from '#kernel/http/accept.ts'
import { type Operation, type Reply, reply } from '#kernel/operation.ts'
import { adminOrService, type CheckSource, type Rule, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'

/** A rule by the part of its name after `placement:`. As upstream, tokens of the system's scope are of no use here. */
export function placementRule(name: string, check: CheckSource = adminOrService): Rule {
  return rule(`placement:${name}`, check, { scopes: ['project'] })
}

export const uuid = Type.String({ format: 'uuid' })
export const generation = Type.Integer()
export const classPattern = '^[A-Z0-9_]+$'
export const uuidPattern = '^[0-9a-fA-F-]{36}$'
/** Ids of projects and users, which are whatever the caller says. */
export const externalId = Type.String({ minLength: 1, maxLength: 255 })

export const linksSchema = Type.Array(Type.Object({ rel: Type.String(), href: Type.String() }))

/** The path of something, as links have it: without scheme and host. */
export const pathOf = (...parts: string[]) => `/placement/${parts.join('/')}`

/** The whole address of something, as `Location` has it. */
export const addressOf = (ctx: Ctx, ...parts: string[]) => `${ctx.base}${pathOf(...parts)}`

interface Dated {
  /** When it changed last, as in its row; now when it has no time of its own. */
  at?: string | undefined
  status?: number
  headers?: Record<string, string>
}

/** An answer that, from 1.15 on, says when it changed and that it must not be kept. */
export function dated(ctx: Ctx, body: unknown, { at, status, headers }: Dated = {}): Reply {
  return reply(body, {
    ...(status !== undefined && { status }),
    headers: {
      ...headers,
      ...(ctx.atLeast('1.15') && {
        'last-modified': new Date(at ?? ctx.clock.now()).toUTCString(),
        'cache-control': 'no-cache',
      }),
    },
  })
}

/** The latest of the rows' times. */
export function latest(rows: Iterable<{ updated_at: string }>): string | undefined {
  let found: string | undefined
  for (const { updated_at } of rows) if (found === undefined || updated_at > found) found = updated_at
  return found
}

/** All values of a query parameter, which may be given more than once. */
export function valuesOf(value: unknown): string[] {
  return value === undefined ? [] : [value].flat().map(String)
}

/** The value of a query parameter: of several, the last. */
export const lastOf = (value: unknown): string | undefined => valuesOf(value).at(-1)

type Headers = Record<string, string | undefined>

function checkAccept({ accept }: Headers): void {
  if (!acceptsJson(accept)) throw new NotAcceptable('Only application/json is provided')
}

function checkContent(headers: Headers): void {
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (type === 'application/json') return
  if (!type && Number(headers['content-length'] ?? 0) > 0)
    throw new BadRequest('content-type header required when content-length > 0')
  throw new UnsupportedMediaType(`The media type ${type || 'None'} is not supported, use application/json`)
}

/** The same operation, for callers who send and take JSON and no others; that is looked at before all else. */
export function jsonOnly(operation: Operation): Operation {
  const reads = operation.method === 'GET' && operation.response
  if (!reads && !operation.request) return operation
  return {
    ...operation,
    async load(ctx, request) {
      if (reads) checkAccept(request.headers)
      else checkContent(request.headers)
      return operation.load?.(ctx, request)
    },
  }
}
