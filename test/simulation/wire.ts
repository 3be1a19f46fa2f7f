/** The bus between processes, as bad as networks are: messages take time, get lost, come twice, late, and in another order. */
import { type Bus, CallTimeout } from '../../src/kernel/bus/bus.ts'
import type { Clock } from '../../src/kernel/clock.ts'
import type { Dice } from './dice.ts'

/** How likely each mishap is, for one message. */
export interface Weather {
  lost: number
  duplicated: number
  late: number
}

export const calm: Weather = { lost: 0, duplicated: 0, late: 0 }

export interface WireOptions {
  bus: Bus
  clock: Clock
  dice: Dice
  weather: () => Weather
  /** Hosts that are cut off. */
  cut: ReadonlySet<string>
  /** Told of each mishap. */
  reached: (fault: string, about: string) => void
  /** Told of each message on its way. */
  sent: (what: string) => void
}

/** The bus as it is reached from a place: a host's name, or `control`. */
export function wireFrom(place: string, { bus, clock, dice, weather, cut, reached, sent }: WireOptions): Bus {
  function isCut(subject: string): boolean {
    return cut.size > 0 && (cut.has(place) || subject.split('.').some(word => cut.has(word)))
  }

  /** Milliseconds until a message arrives; undefined when it never does. */
  function journey(subject: string, what: string): number | undefined {
    const now = weather()
    if (isCut(subject)) {
      reached('host cut off', subject)
      return undefined
    }
    if (dice.chance(now.lost)) {
      reached(`${what} lost`, subject)
      return undefined
    }
    if (dice.chance(now.late)) {
      reached(`${what} late`, subject)
      return dice.between(1_000, 90_000)
    }
    return dice.between(0, 3)
  }

  function methodOf(payload: unknown): string {
    const method = (payload as { method?: unknown } | null)?.method
    return typeof method === 'string' ? method : ''
  }

  return {
    ...bus,
    clock,
    serve: (subject, handler) => bus.serve(subject, handler),
    call(subject, payload, options) {
      const what = `${subject} ${methodOf(payload)}`
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const gone = new AbortController()
      const giveUp = (error: unknown) => {
        reject(error)
        gone.abort(error)
      }
      if (options.signal?.aborted) return Promise.reject(options.signal.reason)
      const onAbort = () => giveUp(options.signal?.reason)
      options.signal?.addEventListener('abort', onAbort, { once: true })
      const timer = clock.after(Math.min(options.timeoutMs, 2 ** 31 - 1), () =>
        giveUp(new CallTimeout(subject, options.timeoutMs)),
      )
      const ended = () => {
        timer.cancel()
        options.signal?.removeEventListener('abort', onAbort)
      }
      promise.then(ended, ended)
      const inner = { ...options, timeoutMs: options.timeoutMs + 86_400_000, signal: gone.signal }

      function arrive(): void {
        if (gone.signal.aborted) return
        sent(what)
        bus.call(subject, payload, inner).then(
          answer => reply(() => resolve(answer)),
          error => reply(() => reject(error)),
        )
      }
      function reply(deliver: () => void): void {
        const ms = journey(subject, 'answer')
        if (ms !== undefined) clock.after(ms, deliver)
      }
      const ms = journey(subject, 'request')
      if (ms !== undefined) clock.after(ms, arrive)
      if (dice.chance(weather().duplicated)) {
        reached('request twice', what)
        clock.after(dice.between(0, 2_000), () => {
          sent(`${what} (again)`)
          bus.call(subject, payload, { ...inner, signal: new AbortController().signal }).catch(() => {})
        })
      }
      return promise
    },
    publish(subject, payload) {
      const ms = journey(subject, 'hint')
      if (ms !== undefined) clock.after(ms, () => bus.publish(subject, payload))
      if (dice.chance(weather().duplicated)) {
        reached('hint twice', subject)
        clock.after(dice.between(0, 2_000), () => bus.publish(subject, payload))
      }
    },
    subscribe: (pattern, listener) => bus.subscribe(pattern, listener),
  }
}
