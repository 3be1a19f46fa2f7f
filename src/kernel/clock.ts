/** Time, injected. Only this file reads the real clock or sets real timers. */

import { timersInOrder } from './timers.ts'

export interface Timer extends Disposable {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds on a clock that never goes back; for measuring. */
  monotonic(): number
  /** Calls `fn` once, `ms` milliseconds from now. The timer never keeps the process alive by itself. */
  after(ms: number, fn: () => void): Timer
  /** Resolves `ms` milliseconds from now; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The instant as OpenStack APIs print it in Nova's style, `2026-01-31T12:00:00Z`. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** The instant with microseconds as Keystone and most databases print it, `2026-01-31T12:00:00.000000Z`. */
export function isoMicros(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`
}

/** The `sleep` of a clock that has `after`. */
export function sleepOn(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    function onAbort() {
      timer.cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** What the work gives, or rejects with what `late` makes after `ms` milliseconds; the work goes on then, and nobody hears of it. */
export async function inTime<T>(
  clock: Pick<Clock, 'after'>,
  ms: number,
  work: Promise<T>,
  late: () => Error,
): Promise<T> {
  const gaveUp = Promise.withResolvers<never>()
  using _timer = clock.after(ms, () => gaveUp.reject(late()))
  return await Promise.race([work, gaveUp.promise])
}

export function systemClock(): Clock {
  const clock: Clock = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(ms, fn) {
      const handle = setTimeout(fn, ms)
      handle.unref()
      const cancel = () => clearTimeout(handle)
      return { cancel, [Symbol.dispose]: cancel }
    },
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
  }
  return clock
}

/** A clock whose timers and sleeps can all be ended at once: none of them fires afterwards. */
export interface EndableClock extends Clock {
  end(): void
}

export function endableClock(clock: Clock): EndableClock {
  const timers = new Set<Timer>()
  let ended = false
  const own: EndableClock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after(ms, fn) {
      if (ended) return { cancel() {}, [Symbol.dispose]() {} }
      const timer = clock.after(ms, () => {
        timers.delete(timer)
        fn()
      })
      timers.add(timer)
      const cancel = () => {
        timers.delete(timer)
        timer.cancel()
      }
      return { cancel, [Symbol.dispose]: cancel }
    },
    sleep: (ms, signal) => sleepOn(own, ms, signal),
    end() {
      ended = true
      for (const timer of timers) timer.cancel()
      timers.clear()
    },
  }
  return own
}

/** A clock that moves only when told to. */
export interface VirtualClock extends Clock {
  /** Moves time forward, firing due timers in order and letting their work settle between them. */
  advance(ms: number): Promise<void>
  /** Advances to the next timer until none is left or `limitMs` has passed. */
  runUntilIdle(limitMs?: number): Promise<void>
  /** How many timers wait. */
  pending(): number
  /** When the next timer fires; undefined when none waits. */
  next(): number | undefined
}

/** Lets promise reactions and in-process I/O callbacks run. */
export function settle(turns = 3): Promise<void> {
  return new Promise(resolve => {
    const turn = (left: number) => (left === 0 ? resolve() : void setImmediate(turn, left - 1))
    turn(turns)
  })
}

export function virtualClock(start = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start
  const timers = timersInOrder()

  async function runTo(limit: number) {
    await settle()
    for (let due = timers.next(); due && due.at <= limit; due = timers.next()) {
      timers.remove(due)
      now = Math.max(now, due.at)
      due.fn()
      await settle()
    }
  }

  const clock: VirtualClock = {
    now: () => now,
    monotonic: () => now - start,
    after(ms, fn) {
      const timer = timers.add(now + Math.max(0, ms), fn)
      const cancel = () => timers.remove(timer)
      return { cancel, [Symbol.dispose]: cancel }
    },
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
    async advance(ms) {
      const target = now + ms
      await runTo(target)
      now = target
    },
    async runUntilIdle(limitMs = 3_600_000) {
      await runTo(now + limitMs)
    },
    pending: () => timers.size,
    next: () => timers.next()?.at,
  }
  return clock
}

/** Timers of clocks keep no process alive; this does, until it is disposed of. */
export function keepAlive(): Disposable {
  const timer = setInterval(() => {}, 2 ** 30)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
