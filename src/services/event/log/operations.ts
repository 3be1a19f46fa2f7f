/** Reading the log of events: by pages, as a stream, as an Atom feed. */
import type { Ctx } from '#kernel/context.ts'
import { NotAcceptable } from '#kernel/errors.ts'
import { beginning, type LoggedEvent, type Position, positionText } from '#kernel/events/events.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { atomFeed, atomType } from '../atom.ts'
import { feedPath, hubPath } from '../paths.ts'
import { placeOf, typesOf, typesText } from '../query.ts'
import { readEvents } from '../rules.ts'
import { follow } from './stream.ts'

const format = Type.Union([Type.Literal('event'), Type.Literal('versioned'), Type.Literal('unversioned')])
const place = Type.Optional(Type.String({ maxLength: 40 }))
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }))

/** How events are shown: as they are kept, or as notifications, of which one that has no such form is in the other. */
function viewer(ctx: Ctx, wanted: Static<typeof format> = 'event') {
  return (event: LoggedEvent): Record<string, unknown> => {
    const { tx: _tx, seq: _seq, ...kept } = event
    const shown = wanted === 'event' ? kept : ctx.events.notification(event, wanted)
    return { position: positionText(event), ...shown }
  }
}

const list = operation({
  id: 'event.events.list',
  method: 'GET',
  path: '/v1/events',
  summary: 'List events, oldest first, from a place in the log on',
  policy: readEvents,
  query: Type.Object({ after: place, limit, types: Type.Optional(typesText), format: Type.Optional(format) }),
  response: Type.Object({ events: Type.Array(Type.Record(Type.String(), Type.Unknown())), next: Type.String() }),
  async handle(ctx, { query }) {
    const after = placeOf(query.after) ?? beginning
    const found = await ctx.events.since(ctx, after, { limit: query.limit ?? 100, types: typesOf(query.types) })
    return { events: found.map(viewer(ctx, query.format)), next: positionText(found.at(-1) ?? after) }
  },
})

const streamType = 'text/event-stream'

const stream = operation({
  id: 'event.events.stream',
  method: 'GET',
  path: '/v1/events/stream',
  summary: 'Follow events as they come (server-sent events)',
  answers: streamType,
  policy: readEvents,
  query: Type.Object({ after: place, types: Type.Optional(typesText), format: Type.Optional(format) }),
  async handle(ctx, { query, headers, signal, method }) {
    // Nothing ends it but its reader: who does not say that he follows would wait for ever.
    if (!headers.accept?.includes(streamType)) throw new NotAcceptable(`This is a stream: send Accept: ${streamType}.`)
    const sent = { 'content-type': streamType, 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
    if (method === 'HEAD') return reply('', { headers: sent })
    const after = placeOf(headers['last-event-id'] ?? query.after) ?? (await end(ctx))
    const token = headers['x-auth-token'] ?? ''
    const body = follow(ctx, {
      after,
      types: typesOf(query.types),
      view: viewer(ctx, query.format),
      goesOn: async () => (await ctx.authenticate(token)) !== undefined,
      signal,
    })
    return reply(body, { headers: sent })
  },
})

async function end(ctx: Ctx): Promise<Position> {
  return (await ctx.events.before(ctx, undefined, { limit: 1 }))[0] ?? beginning
}

const pageOfFeed = 50

const feed = operation({
  id: 'event.events.feed',
  method: 'GET',
  path: '/v1/feed',
  summary: 'Read events as an Atom feed, newest first',
  answers: atomType,
  policy: readEvents,
  query: Type.Object({ before: place, types: Type.Optional(typesText) }),
  async handle(ctx, { query: { before, types } }) {
    const reading = { limit: pageOfFeed, types: typesOf(types) }
    const events = await ctx.events.before(ctx, placeOf(before), reading)
    const last = events.at(-1)
    const address = (more: Record<string, string>) => {
      const search = new URLSearchParams({ ...(types !== undefined && { types }), ...more }).toString()
      return `${ctx.base}${feedPath}${search && `?${search}`}`
    }
    const body = atomFeed({
      self: address(before === undefined ? {} : { before }),
      hub: `${ctx.base}${hubPath}`,
      next: last && events.length === pageOfFeed ? address({ before: positionText(last) }) : undefined,
      now: new Date(ctx.clock.now()).toISOString(),
      events,
      content: viewer(ctx, 'versioned'),
    })
    return reply(body, { headers: { 'content-type': atomType } })
  },
})

export const logOperations: Operation[] = [list, stream, feed]
