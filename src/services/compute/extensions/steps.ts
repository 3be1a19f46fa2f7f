/** What servers ask of the extensions: what they make of a request, which attributes it brings, and what of a server they show. */
import type { Ctx } from '#kernel/context.ts'
import { Fault, messageOf, Unavailable } from '#kernel/errors.ts'
import type { TSchema } from '#kernel/schema/builders.ts'
import { problemOf } from '#kernel/schema/validate.ts'
import { computeConfig } from '../config.ts'
import { contextOf } from './context.ts'
import type { Extension, ExtensionContext, ServerFacts, Shown } from './extension.ts'
import { held, type Loaded, requireKeepable } from './extensions.ts'
import { valuesOf } from './store.ts'

/** Calls a hook, which has so many seconds and no more. */
async function hooked<T>(ctx: Ctx, extension: Extension, work: (own: ExtensionContext) => T | Promise<T>): Promise<T> {
  const seconds = ctx.config.of(computeConfig).extension_hook_seconds
  const abort = new AbortController()
  const late = Promise.withResolvers<never>()
  const timer = ctx.clock.after(seconds * 1000, () => {
    const reason = new Unavailable(`Extension ${extension.alias} did not answer within ${seconds} seconds.`)
    abort.abort(reason)
    late.reject(reason)
  })
  try {
    return await Promise.race([work(contextOf(ctx, extension, abort.signal)), late.promise])
  } finally {
    timer.cancel()
  }
}

type ServerBody = Record<string, unknown>

/**
 * A request to create servers as the hooks of the extensions would have it, one after the other. Outside of transactions, which a hook could keep open and
 * which may run twice. A fault that a hook throws is the answer.
 */
export async function asExtended<Body extends { server: object }>(ctx: Ctx, body: Body): Promise<Body> {
  const { extensions, changes } = held(ctx).loaded
  let server = body.server as ServerBody
  for (const extension of extensions) {
    const { alias, hooks } = extension
    if (!hooks?.create) continue
    try {
      const changed = await hooked(ctx, extension, own => hooks.create!(own, { server: structuredClone(server) }))
      const problem = changed && problemOf(changes, changed)
      if (problem) throw new Error(`it changes ${problem.field || 'the server'}: ${problem.message}`)
      server = { ...server, ...changed }
    } catch (cause) {
      if (cause instanceof Fault) throw cause
      throw new Error(`the create hook of extension ${alias} failed: ${messageOf(cause)}`, { cause })
    }
  }
  return server === body.server ? body : { ...body, server }
}

/** The attributes that a request brings, by name; null is none. Throws for those that are too long. */
export function attributesAsked(ctx: Ctx, server: object): Record<string, unknown> {
  const { attributes } = held(ctx).loaded
  if (attributes.size === 0) return {}
  const isBrought = ([name, value]: [string, unknown]) => attributes.has(name) && value !== null && value !== undefined
  const brought = Object.entries(server).filter(isBrought)
  for (const [name, value] of brought) requireKeepable(name, value)
  return Object.fromEntries(brought)
}

/** Those that are kept of a server that is to go, for the archive. */
export async function attributesOf(ctx: Ctx, id: string): Promise<{ attributes?: Record<string, unknown> }> {
  if (held(ctx).loaded.attributes.size === 0) return {}
  const found = await valuesOf(ctx, [id])
  return found.length === 0 ? {} : { attributes: Object.fromEntries(found.map(({ name, value }) => [name, value])) }
}

/** What is shown of servers, by id. Undefined, and nothing is asked, when no extension has attributes. */
export async function shownAttributes(
  ctx: Ctx,
  servers: readonly Facts[],
): Promise<ReadonlyMap<string, Record<string, unknown>> | undefined> {
  const { extensions, attributes } = held(ctx).loaded
  if (attributes.size === 0) return undefined
  const none = Object.fromEntries([...attributes.keys()].map(name => [name, null]))
  const shown = new Map(servers.map(({ id }) => [id, { ...none } as Record<string, unknown>]))
  for (const { server_id, name, value } of await valuesOf(ctx, [...shown.keys()]))
    if (attributes.has(name)) shown.get(server_id)![name] = value
  if (servers.length > 0)
    await Promise.all(extensions.map(extension => addShown(ctx, extension, { attributes, servers, shown })))
  return shown
}

type Facts = Omit<ServerFacts, 'name'> & { display_name: string }

interface Showing {
  attributes: Loaded['attributes']
  servers: readonly Facts[]
  shown: Map<string, Record<string, unknown>>
}

/** Adds what the extension's hook says. Reading servers does not depend on it. */
async function addShown(ctx: Ctx, extension: Extension, { attributes, servers, shown }: Showing): Promise<void> {
  const { hooks } = extension
  if (!hooks?.show) return
  const isOwn = ([name]: [string, unknown]) => attributes.get(name)?.extension === extension
  const owned = (all: object) => Object.fromEntries(Object.entries(all).filter(isOwn))
  const told = servers.map(({ id, display_name: name, project_id, user_id }) => ({
    ...{ id, name, project_id, user_id },
    attributes: owned(shown.get(id)!),
  }))
  try {
    const said = (await hooked(ctx, extension, own => hooks.show!(own, told))) ?? {}
    // As it will be written: what cannot be is found here.
    const plain = Object.entries(JSON.parse(JSON.stringify(said)) as Shown).filter(([id]) => shown.has(id))
    const more = plain.map(([id, fields]) => [shown.get(id)!, owned(fields)] as const)
    for (const [, fields] of more) requireFitting(attributes, fields)
    for (const [server, fields] of more) Object.assign(server, fields)
  } catch (error) {
    ctx.log.warn({ err: error, extension: extension.alias }, 'the show hook of an extension failed')
  }
}

/** Throws for a value that the attribute's schema does not have. */
function requireFitting(attributes: Loaded['attributes'], fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    const problem = value === null ? undefined : problemOf(attributes.get(name)!.attribute.schema as TSchema, value)
    if (problem) throw new Error(`it shows ${name}: ${problem.message}`)
  }
}
