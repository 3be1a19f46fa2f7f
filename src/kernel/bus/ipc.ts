/** The bus of a worker: that of the process which started it. The channel keeps the order of frames and loses none while both live. */
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { factsOf } from '../request-facts.ts'
import {
  type Bus,
  BusClosed,
  CallTimeout,
  checkSubject,
  type Handler,
  type Listener,
  matcher,
  NoResponder,
} from './bus.ts'
import { type Channel, callsFor, type Frame, type Reply } from './ipc-frames.ts'
import { awaitAnswer, type PendingCall } from './pending.ts'
import { answer, encode, resultOf } from './wire.ts'

export function ipcBus(channel: Channel, clock: Clock, log: Log): Bus {
  const waiting = new Map<number, { subject: string; timeoutMs: number; pending: PendingCall }>()
  const served = new Map<number, { handler: Handler; running: Set<Promise<unknown>> }>()
  const listeners = new Map<number, Listener>()
  const flushes = new Map<number, () => void>()
  const send = (frame: Frame) => {
    if (!gone) channel.send(frame)
  }
  const calls = callsFor(send)
  let ids = 0
  let closed = false
  let gone = false

  function ensureOpen() {
    if (closed || gone) throw new BusClosed()
  }

  function flush(): Promise<void> {
    if (gone) return Promise.resolve()
    return new Promise(done => {
      const id = ids++
      flushes.set(id, done)
      send({ op: 'flush', id })
    })
  }

  function take(frame: Frame): void {
    if (frame.op === 'reply') takeReply(frame)
    else if (frame.op === 'request') serveRequest(frame)
    else if (frame.op === 'cancel') calls.cancel(frame.id)
    else if (frame.op === 'deliver') void deliver(frame)
  }

  function takeReply({ id, text, lost }: Reply): void {
    flushes.get(id)?.()
    flushes.delete(id)
    const call = waiting.get(id)
    if (!call) return
    if (lost === 'nobody') call.pending.fail(new NoResponder(call.subject))
    else if (lost === 'late') call.pending.fail(new CallTimeout(call.subject, call.timeoutMs))
    else if (lost === 'closed') call.pending.fail(new BusClosed())
    else call.pending.answer(text)
  }

  function serveRequest({ id, to, text, request }: Frame & { op: 'request' }): void {
    const server = served.get(to)
    const handler: Handler = server?.handler ?? (() => Promise.reject(new BusClosed()))
    const run = calls.run(id, async signal => ({ text: await answer(handler, text, { request, signal }) }))
    server?.running.add(run)
    void run.finally(() => server?.running.delete(run))
  }

  async function deliver({ to, subject, text }: Frame & { op: 'deliver' }): Promise<void> {
    try {
      await listeners.get(to)?.(JSON.parse(text), subject)
    } catch (error) {
      log.error({ err: error, subject }, `a listener failed: ${messageOf(error)}`)
    }
  }

  function end(): void {
    for (const { pending } of waiting.values()) pending.fail(new BusClosed())
    for (const done of flushes.values()) done()
    calls.abortAll(new BusClosed())
    listeners.clear()
  }

  channel.receive(frame => take(frame as Frame))
  channel.closed(() => {
    gone = true
    end()
  })

  return {
    clock,
    serve(subject, handler) {
      ensureOpen()
      checkSubject(subject)
      const id = ids++
      const server = { handler, running: new Set<Promise<unknown>>() }
      served.set(id, server)
      send({ op: 'serve', id, subject })
      return {
        async [Symbol.asyncDispose]() {
          send({ op: 'leave', id })
          // Calls that were under way to us have arrived then.
          await flush()
          await Promise.all(server.running)
          served.delete(id)
        },
      }
    },
    async call(subject, payload, options) {
      ensureOpen()
      checkSubject(subject)
      const { timeoutMs, request } = options
      const text = encode(payload)
      const id = ids++
      try {
        const reply = await awaitAnswer(clock, subject, options, pending => {
          waiting.set(id, { subject, timeoutMs, pending })
          send({ op: 'call', id, subject, text, timeoutMs, ...(request && { request: factsOf(request) }) })
          return () => send({ op: 'cancel', id })
        })
        return resultOf(reply)
      } finally {
        waiting.delete(id)
      }
    },
    publish(subject, payload) {
      ensureOpen()
      checkSubject(subject)
      send({ op: 'publish', subject, text: encode(payload) })
    },
    subscribe(pattern, listener) {
      ensureOpen()
      matcher(pattern)
      const id = ids++
      listeners.set(id, listener)
      send({ op: 'subscribe', id, pattern })
      return {
        async [Symbol.asyncDispose]() {
          listeners.delete(id)
          send({ op: 'leave', id })
        },
      }
    },
    flush,
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      for (const id of [...served.keys(), ...listeners.keys()]) send({ op: 'leave', id })
      end()
    },
  }
}
