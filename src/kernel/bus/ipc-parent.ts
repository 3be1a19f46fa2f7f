/** The parent's side of the bus between a process and the workers that it started: each worker is a guest on the parent's own bus. */
import type { Log } from '../log.ts'
import { type Bus, BusClosed, CallTimeout, type Handler, NoResponder } from './bus.ts'
import { type Channel, callsFor, type Frame, noLongerWaits, type Reply } from './ipc-frames.ts'
import { answer, encode, resultOf } from './wire.ts'

/** Lets the process at the other end of a channel take part in a bus, until it is gone. */
export function shareBus(bus: Bus, channel: Channel, log: Log): void {
  const belongings = new Map<number, AsyncDisposable>()
  const asked = new Map<number, { answer(text: string): void; fail(error: Error): void }>()
  const send = (frame: Frame) => channel.send(frame)
  const calls = callsFor(send)
  let requests = 0
  let gone = false

  /** Asks the other process on behalf of a caller on the bus. */
  function ask(to: number): Handler {
    return async (payload, { request, signal }) => {
      if (gone) throw new BusClosed()
      const id = requests++
      const giveUp = () => send({ op: 'cancel', id })
      signal.addEventListener('abort', giveUp, { once: true })
      try {
        const text = await new Promise<string>((done, fail) => {
          asked.set(id, { answer: done, fail })
          send({ op: 'request', id, to, text: encode(payload), ...(request && { request }) })
        })
        return resultOf(text)
      } finally {
        asked.delete(id)
        signal.removeEventListener('abort', giveUp)
      }
    }
  }

  async function call({ subject, text, timeoutMs, request }: Frame & { op: 'call' }, signal: AbortSignal) {
    const options = { timeoutMs, signal, ...(request && { request }) }
    let lost: Reply['lost']
    const reply = await answer(
      async payload => {
        try {
          return await bus.call(subject, payload, options)
        } catch (error) {
          if (error instanceof NoResponder) lost = 'nobody'
          else if (error instanceof CallTimeout) lost = 'late'
          else if (error instanceof BusClosed) lost = 'closed'
          throw error
        }
      },
      text,
      { request, signal },
    )
    return { text: reply, ...(lost && { lost }) }
  }

  const belong = (id: number, belonging: AsyncDisposable) => void belongings.set(id, belonging)

  const takers: { [O in Frame['op']]?: (frame: Frame & { op: O }) => void } = {
    serve: ({ id, subject }) => belong(id, bus.serve(subject, ask(id))),
    subscribe: ({ id, pattern }) =>
      belong(
        id,
        bus.subscribe(pattern, (payload, subject) => send({ op: 'deliver', to: id, subject, text: encode(payload) })),
      ),
    leave({ id }) {
      // Not waited for: the calls that run are the other side's to wait for.
      void belongings.get(id)?.[Symbol.asyncDispose]()
      belongings.delete(id)
    },
    call: frame => void calls.run(frame.id, signal => call(frame, signal)),
    cancel: ({ id }) => calls.cancel(id),
    publish: ({ subject, text }) => bus.publish(subject, JSON.parse(text)),
    flush({ id }) {
      const reply = (lost?: 'closed') => send({ op: 'reply', id, text: '', ...(lost && { lost }) })
      bus.flush().then(
        () => reply(),
        () => reply('closed'),
      )
    },
    reply: ({ id, text }) => asked.get(id)?.answer(text),
  }

  channel.receive(frame => {
    try {
      const { op } = frame as Frame
      const taker = takers[op] as ((frame: object) => void) | undefined
      taker?.(frame)
    } catch (error) {
      // The bus closes while its workers still talk.
      if (!(error instanceof BusClosed)) log.error({ err: error }, 'a frame of a worker could not be taken')
    }
  })
  channel.closed(() => {
    gone = true
    calls.abortAll(noLongerWaits())
    for (const { fail } of asked.values()) fail(new BusClosed())
    for (const belonging of belongings.values()) void belonging[Symbol.asyncDispose]()
  })
}
