/** The bus between processes, over NATS. It connects again by itself and keeps what is served and subscribed. */
import {
  type Authenticator,
  connect,
  createInbox,
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  nkeyAuthenticator,
  type Subscription,
  type TlsOptions,
} from '@nats-io/transport-node'
import type { Clock, Timer } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { factsOf, type RequestFacts } from '../request-facts.ts'
import { sparing } from '../sparing.ts'
import { type Bus, BusClosed, checkSubject, type Handler, matcher, maxPayloadBytes, NoResponder } from './bus.ts'
import { awaitAnswer, longestTimerMs, type PendingCall } from './pending.ts'
import { type Seal, sealBy, sealBytes, unsealedBus } from './seal.ts'
import { answer, encode, resultOf } from './wire.ts'

export interface NatsOptions {
  /** `host:port` or `nats://host:port`. */
  servers: string | string[]
  user?: string
  password?: string
  token?: string
  /** How the server knows this process, in place of the above: the text of a credentials file, or the seed of an nkey. */
  credentials?: string
  nkey?: string
  /** Files that the connection is encrypted with. */
  tls?: TlsOptions
  /** What messages are sealed with, `sealBy`; without it all who may listen can read them. */
  key?: string
  /** Shown in the server's list of connections. */
  name?: string
}

/** Callers publish the reply subject of a call here when they no longer wait for it. */
const cancelSubject = '_nephos.cancel'
/** A call is sent again so often while its answer is awaited: who is at it goes on, who did it answers again, and who lost it does it now. */
const againMs = 60_000
/** The same when nobody was there to take it again, and for how long: it may be done still while its host is cut off. */
const missedAgainMs = 5_000
const mostMissedMs = 120_000
/** Timers of two processes are not exact to the millisecond. */
const answererPatienceMs = 10
const keptAnswers = 256
const longestKeptAnswer = 16_384
/** Room in a NATS message for the frame around a payload. */
const frameBytes = 1024 + sealBytes

export async function natsBus(options: NatsOptions, clock: Clock, log: Log): Promise<Bus> {
  const { password, credentials, nkey, key, ...rest } = options
  const authenticator = authenticatorOf({ credentials, nkey })
  const connection = await connect({
    ...rest,
    ...(authenticator && { authenticator }),
    ...(password !== undefined && { pass: password }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    ignoreAuthErrorAbort: true,
  })
  const link: Link = { up: true, returned() {} }
  void watch(connection, link, log)
  return busOver(connection, link, clock, log, key ? sealBy(key) : unsealedBus)
}

function authenticatorOf({ credentials, nkey }: { credentials: string | undefined; nkey: string | undefined }) {
  const bytes = (text: string) => new TextEncoder().encode(text)
  if (credentials) return credsAuthenticator(bytes(credentials))
  return nkey ? (nkeyAuthenticator(bytes(nkey.trim())) satisfies Authenticator) : undefined
}

/** Notifications are for programs of others, which have no key. */
const isForOthers = (subject: string) => /^(versioned_)?notifications\./.test(subject)

interface Link {
  up: boolean
  /** Called when a lost connection is back. */
  returned(): void
}

async function watch(connection: NatsConnection, link: Link, log: Log): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') {
      link.up = false
      log.warn({ server: status.server }, 'the bus lost its connection')
    } else if (status.type === 'reconnect') {
      link.up = true
      link.returned()
      log.info({ server: status.server }, 'the bus is connected again')
    } else if (status.type === 'error') {
      log.error({ err: status.error }, 'the bus reports an error')
    }
  }
}

function busOver(connection: NatsConnection, link: Link, clock: Clock, log: Log, sealed: Seal): Bus {
  const inbox = createInbox()
  const waiting = new Map<string, { pending: PendingCall; send(): void; missed(): void }>()
  const running = new Map<string, AbortController>()
  /** The last answers, for callers that lost their connection before they came. */
  const answered = new Map<string, string>()
  let calls = 0
  const mayTell = sparing(clock)
  // A server takes 1 MB unless its max_payload says otherwise.
  const limit = () => Math.min(maxPayloadBytes, (connection.info?.max_payload ?? maxPayloadBytes) - frameBytes)

  // What was under way when the connection was lost may be lost too. Whoever has it already does not do it twice.
  link.returned = () => {
    for (const { send } of waiting.values()) send()
  }

  const sealFor = (subject: string) => (isForOthers(subject) ? unsealedBus : sealed)
  const read = ({ data, subject, reply = '' }: Msg) => sealFor(subject).open(data, `${subject} ${reply}`)
  const write = (text: string, subject: string, reply = '') => sealFor(subject).seal(text, `${subject} ${reply}`)
  /** Undefined for what is not of this cloud: whoever sends it changes nothing. */
  function heard(message: Msg): string | undefined {
    try {
      return read(message)
    } catch (cause) {
      // Whoever may publish decides how many there are.
      const more = mayTell('not heard')
      if (more) log.warn({ err: messageOf(cause), subject: message.subject, ...more }, 'a message was not heard')
      return undefined
    }
  }
  const respond = (message: Msg, text: string) => message.respond(write(text, message.reply!))

  function ensureOpen() {
    if (connection.isClosed() || connection.isDraining()) throw new BusClosed()
  }

  connection.subscribe(`${inbox}.*`, {
    callback(error, message) {
      const call = waiting.get(message.subject)
      if (!call) return
      if (error) call.pending.fail(error)
      else if (message.headers?.code === 503) call.missed()
      else {
        const text = heard(message)
        if (text !== undefined) call.pending.answer(text)
      }
    },
  })
  connection.subscribe(cancelSubject, {
    callback(error, message) {
      const reply = error ? undefined : heard(message)
      if (reply !== undefined) running.get(reply)?.abort(new Error('The caller no longer waits.'))
    },
  })

  /** Lets what is under way to us or from us arrive, but does not wait long for a connection that is gone. */
  const orSoon = (work: Promise<unknown>) => Promise.race([work.catch(() => {}), clock.sleep(2000)])

  async function stop(subscription: Subscription): Promise<void> {
    if (!link.up) return subscription.unsubscribe()
    if (!subscription.isClosed() && !connection.isClosed()) await orSoon(subscription.drain())
  }

  function remember(reply: string, text: string): void {
    if (text.length > longestKeptAnswer) return
    answered.set(reply, text)
    if (answered.size > keptAnswers) answered.delete(answered.keys().next().value!)
  }

  async function run(handler: Handler, message: Msg): Promise<void> {
    if (!message.reply || running.has(message.reply)) return
    const frame = heard(message)
    if (frame === undefined) return
    const before = answered.get(message.reply)
    if (before !== undefined) {
      respond(message, before)
      return
    }
    const { payload, request, timeoutMs } = readFrame(frame)
    const controller = new AbortController()
    running.set(message.reply, controller)
    using _timer = clock.after(Math.min(timeoutMs, longestTimerMs), () =>
      controller.abort(new Error('The caller no longer waits.')),
    )
    const text = await answer(handler, payload, { request, signal: controller.signal }, limit())
    running.delete(message.reply)
    remember(message.reply, text)
    if (!connection.isClosed()) respond(message, text)
  }

  return {
    clock,
    serve(subject, handler) {
      ensureOpen()
      checkSubject(subject)
      const active = new Set<Promise<unknown>>()
      const subscription = connection.subscribe(subject, {
        queue: 'serve',
        callback(error, message) {
          if (error) return log.error({ err: error, subject }, 'a subject cannot be served')
          const work = run(handler, message).catch(cause =>
            log.error({ err: cause, subject }, 'an answer was not sent'),
          )
          active.add(work)
          void work.finally(() => active.delete(work))
        },
      })
      return {
        async [Symbol.asyncDispose]() {
          await stop(subscription)
          await Promise.all(active)
        },
      }
    },
    async call(subject, payload, options) {
      ensureOpen()
      checkSubject(subject)
      const text = encode(payload, limit())
      const reply = `${inbox}.${calls++}`
      let again: Timer | undefined
      try {
        const answered = await awaitAnswer(clock, subject, options, pending => {
          const until = clock.monotonic() + options.timeoutMs
          let sends = 0
          /** Since when nobody is there. */
          let missing: number | undefined
          const sendIn = (ms: number) => {
            again?.cancel()
            again = clock.after(ms, () => {
              if (ms === againMs) missing = undefined
              send()
            })
          }
          const send = () => {
            sendIn(againMs)
            // Without a connection it waits for one: that costs time within the caller's patience, but fails no work.
            if (!link.up || connection.isClosed()) return
            sends++
            // Rounded up: who answers must not give up before who asks.
            const left = Math.ceil(until - clock.monotonic())
            const frame = writeFrame(text, left + answererPatienceMs, options.request)
            connection.publish(subject, write(frame, subject, reply), { reply })
          }
          const missed = () => {
            missing ??= clock.monotonic()
            if (sends === 1 || clock.monotonic() - missing >= mostMissedMs) pending.fail(new NoResponder(subject))
            else sendIn(missedAgainMs)
          }
          waiting.set(reply, { pending, send, missed })
          send()
          return () => {
            if (!connection.isClosed() && link.up) connection.publish(cancelSubject, write(reply, cancelSubject))
          }
        })
        return resultOf(answered)
      } finally {
        again?.cancel()
        waiting.delete(reply)
      }
    },
    publish(subject, payload) {
      ensureOpen()
      checkSubject(subject)
      connection.publish(subject, write(encode(payload, limit()), subject))
    },
    subscribe(pattern, listener) {
      ensureOpen()
      matcher(pattern)
      async function deliver(message: Msg) {
        const text = heard(message)
        if (text === undefined) return
        try {
          await listener(JSON.parse(text), message.subject)
        } catch (error) {
          log.error({ err: error, subject: message.subject }, `a listener failed: ${messageOf(error)}`)
        }
      }
      const subscription = connection.subscribe(pattern, {
        callback(error, message) {
          if (error) log.error({ err: error, subject: pattern }, 'a subject cannot be listened to')
          else void deliver(message)
        },
      })
      return { [Symbol.asyncDispose]: () => stop(subscription) }
    },
    flush: () => connection.flush(),
    async [Symbol.asyncDispose]() {
      for (const { pending } of waiting.values()) pending.fail(new BusClosed())
      for (const controller of running.values()) controller.abort(new BusClosed())
      if (link.up) await orSoon(connection.drain())
      await connection.close()
    },
  }
}

/** The first line says who asks and how long it waits, as a length of time: clocks of hosts differ. */
function writeFrame(payload: string, timeoutMs: number, request: RequestFacts | undefined): string {
  return `${JSON.stringify({ timeoutMs, ...(request && factsOf(request)) })}\n${payload}`
}

function readFrame(text: string): { payload: string; timeoutMs: number; request: RequestFacts | undefined } {
  const end = text.indexOf('\n')
  const { timeoutMs, requestId, ...rest } = JSON.parse(text.slice(0, end)) as {
    timeoutMs: number
  } & Partial<RequestFacts>
  return {
    payload: text.slice(end + 1),
    timeoutMs,
    request: requestId === undefined ? undefined : { requestId, ...rest },
  }
}
