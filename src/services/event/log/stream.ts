/** Server-sent events: the log from a place on, and then as it grows. */
import { Readable } from 'node:stream'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { Unavailable } from '#kernel/errors.ts'
import { type LoggedEvent, type Position, positionText } from '#kernel/events/events.ts'
import { eventConfig } from '../config.ts'

const page = 100
/** A hint may be lost, and on PostgreSQL an event may be held back by a transaction that is older. */
const lookAgainMs = 2_000
/** A comment now and then keeps the connection open, and tells when the reader is gone. */
const heartbeatMs = 15_000

const readers = perCloud(() => ({ count: 0 }))

export interface Follow {
  after: Position
  types: string[]
  view: (event: LoggedEvent) => unknown
  /** Asked now and then: a reader whose token is over is sent nothing more. */
  goesOn: () => Promise<boolean>
  signal: AbortSignal
}

export function follow(ctx: Ctx, options: Follow): Readable {
  const reading = readers(ctx)
  if (reading.count >= ctx.config.of(eventConfig).most_streams)
    throw new Unavailable('There are as many readers of events as this cloud serves: ask for them by pages, or later.')
  reading.count++
  const stream = Readable.from(frames(ctx, options))
  stream.once('close', () => reading.count--)
  return stream
}

async function* frames(ctx: Ctx, { after, types, view, goesOn, signal }: Follow): AsyncGenerator<string> {
  await using hints = listen(ctx, signal)
  let place = after
  let beat = ctx.clock.monotonic()
  yield ': events follow\n\n'
  while (!signal.aborted) {
    const found = await ctx.events.since(ctx, place, { limit: page, types })
    for (const event of found) {
      place = event
      yield frame(event, view(event))
    }
    if (found.length < page) await hints.next(lookAgainMs)
    if (ctx.clock.monotonic() - beat < heartbeatMs) continue
    if (!(await goesOn())) return
    beat = ctx.clock.monotonic()
    yield ': still here\n\n'
  }
}

/** JSON has no line breaks outside of its strings, and none in them. */
const frame = (event: LoggedEvent, data: unknown) =>
  `id: ${positionText(event)}\nevent: ${event.type}\ndata: ${JSON.stringify(data)}\n\n`

/** Tells when something was announced since the last time, or the reader is gone. */
function listen({ bus, clock }: Ctx, signal: AbortSignal) {
  let announced = false
  let wake = () => {}
  const subscription = bus.subscribe('events.>', () => {
    announced = true
    wake()
  })
  signal.addEventListener('abort', () => wake(), { once: true })
  return {
    async next(ms: number): Promise<void> {
      if (!announced && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        using _timer = clock.after(ms, resolve)
        await promise
      }
      announced = false
    },
    [Symbol.asyncDispose]: () => subscription[Symbol.asyncDispose](),
  }
}
