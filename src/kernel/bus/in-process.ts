/** The bus inside one process: same behaviour as between processes, JSON both ways included. */
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { factsOf, type RequestFacts } from '../request-facts.ts'
import { type Bus, BusClosed, type CallContext, checkSubject, type Handler, matcher, NoResponder } from './bus.ts'
import { awaitAnswer, type PendingCall } from './pending.ts'
import { answer, encode, resultOf } from './wire.ts'

interface Server {
  handler: Handler
  running: Set<Promise<unknown>>
}

export function inProcessBus(clock: Clock, log: Log): Bus {
  const servers = new Map<string, Server[]>()
  const subscriptions = new Set<{
    matches: (subject: string) => boolean
    deliver: (text: string, subject: string) => void
  }>()
  const calls = new Map<PendingCall, AbortController>()
  let closed = false

  function ensureOpen() {
    if (closed) throw new BusClosed()
  }

  /** The servers of a subject take turns. */
  function nextServer(subject: string): Server | undefined {
    const list = servers.get(subject)
    const server = list?.shift()
    if (server) list?.push(server)
    return server
  }

  function dispatch(subject: string, text: string, request: RequestFacts | undefined, pending: PendingCall): void {
    const server = nextServer(subject)
    if (!server) {
      pending.fail(new NoResponder(subject))
      return
    }
    const signal = calls.get(pending)?.signal
    if (!signal || signal.aborted) return
    const context: CallContext = { request: request && factsOf(request), signal }
    const run = answer(server.handler, text, context).then(reply => pending.answer(reply))
    server.running.add(run)
    void run.finally(() => server.running.delete(run))
  }

  return {
    clock,
    serve(subject, handler) {
      ensureOpen()
      checkSubject(subject)
      const server: Server = { handler, running: new Set() }
      servers.set(subject, [...(servers.get(subject) ?? []), server])
      return {
        async [Symbol.asyncDispose]() {
          const left = (servers.get(subject) ?? []).filter(other => other !== server)
          if (left.length > 0) servers.set(subject, left)
          else servers.delete(subject)
          await Promise.all(server.running)
        },
      }
    },
    async call(subject, payload, options) {
      ensureOpen()
      checkSubject(subject)
      const text = encode(payload)
      const controller = new AbortController()
      let current: PendingCall | undefined
      try {
        const reply = await awaitAnswer(clock, subject, options, pending => {
          current = pending
          calls.set(pending, controller)
          queueMicrotask(() => dispatch(subject, text, options.request, pending))
          return reason => controller.abort(reason)
        })
        return resultOf(reply)
      } finally {
        if (current) calls.delete(current)
      }
    },
    publish(subject, payload) {
      ensureOpen()
      checkSubject(subject)
      const text = encode(payload)
      for (const { matches, deliver } of subscriptions)
        if (matches(subject)) queueMicrotask(() => deliver(text, subject))
    },
    subscribe(pattern, listener) {
      ensureOpen()
      async function deliver(text: string, subject: string) {
        if (!subscriptions.has(subscription)) return
        try {
          await listener(JSON.parse(text), subject)
        } catch (error) {
          log.error({ err: error, subject }, `a listener failed: ${messageOf(error)}`)
        }
      }
      const subscription = { matches: matcher(pattern), deliver }
      subscriptions.add(subscription)
      return {
        async [Symbol.asyncDispose]() {
          subscriptions.delete(subscription)
        },
      }
    },
    async flush() {},
    async [Symbol.asyncDispose]() {
      closed = true
      servers.clear()
      subscriptions.clear()
      for (const [pending, controller] of calls) {
        pending.fail(new BusClosed())
        controller.abort(new BusClosed())
      }
    },
  }
}
