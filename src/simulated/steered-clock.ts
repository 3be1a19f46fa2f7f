/** The clock of a simulated cloud: real time, faster or slower time that waits for the work it brings, or time that is moved by hand. */
import { type Clock, sleepOn } from '#kernel/clock.ts'
import { timersInOrder, type Waiting } from '#kernel/timers.ts'

/** What still goes on once all that could be done at an instant has been done. */
export interface Rest {
  /** Work waits for time to pass. */
  working: boolean
  /** A request does. */
  answering: boolean
  /** A host is away, and the cloud is to find out. */
  watched: boolean
}

export interface SteeredClock extends Clock {
  /** 0 when time stands still, 1 for real time. */
  readonly speed: number
  /** How many timers wait. */
  pending(): number
  /** From now on time passes so fast; at 0 it stands still. */
  run(speed: number): void
  /** Moves time forward, firing due timers in order and letting their work be done between them. */
  advance(ms: number): Promise<void>
  /** Moves from timer to timer until no work is left, by `limitMs` at most. Returns whether none is. */
  runUntilIdle(limitMs: number): Promise<boolean>
  /** It is so late now, whatever it was; whoever moves time stops. Timers stay when they were. */
  set(now: number): void
}

/** The longest that a timer of the system waits. */
const longestWaitMs = 2 ** 31 - 1

/**
 * While nothing is under way, time that is moved leaps so far at once: what comes round every few seconds (hosts report, reconcilers look) is
 * done once a leap. A day is then 144 leaps in place of tens of thousands of timers.
 */
const leapMs = 10 * 60_000
/** Hosts that are away are looked for every few seconds, and what was not seen in between does not count. */
const watchedLeapMs = 10_000

/** `settled` resolves when all that can be done at this instant has been done. */
export function steeredClock(base: Clock, settled: () => Promise<Rest>): SteeredClock {
  const timers = timersInOrder()
  let speed = 1
  /** Time stands still because somebody moves it by hand. */
  let held = false
  /** Grows when time is set: who moved it stops. */
  let epoch = 0
  let turn: Promise<unknown> = Promise.resolve()
  let armed: Disposable | undefined
  let at = base.now()
  let since = at
  const started = at

  /** The next that is due by then. */
  function first(limit = Number.POSITIVE_INFINITY): Waiting | undefined {
    const next = timers.next()
    return next && next.at <= limit ? next : undefined
  }

  /** Time that is not real waits at every timer for its work: a cloud that is slower than its clock would lose its hosts. */
  function now(): number {
    const real = base.now()
    if (!held && speed > 0) {
      const passed = at + Math.max(0, real - since) * speed
      at = speed === 1 ? passed : Math.max(at, Math.min(passed, first()?.at ?? passed))
    }
    since = real
    return Math.floor(at)
  }

  function arm(): void {
    armed?.[Symbol.dispose]()
    armed = undefined
    const next = speed > 0 && !held ? first() : undefined
    if (!next) return
    const waitMs = Math.min(longestWaitMs, Math.max(0, next.at - now()) / speed)
    armed = base.after(waitMs, speed === 1 ? fireDue : () => void move(() => fire(now())))
  }

  function fireDue(): void {
    for (const due of dueBy(now())) due.fn()
    arm()
  }

  /** In order; those that are set meanwhile included. */
  function* dueBy(limit: number): Generator<Waiting> {
    for (let due = first(limit); due; due = first(limit)) {
      timers.remove(due)
      yield due
    }
  }

  /** All that is due by then, at that instant. */
  async function fire(instant: number): Promise<Rest> {
    at = Math.max(at, instant)
    for (const due of dueBy(at)) due.fn()
    return settled()
  }

  /** One after another, with time standing still but for the moves. */
  function move<T>(work: (stopped: () => boolean) => Promise<T>): Promise<T> {
    const mine = turn.then(async () => {
      now()
      held = true
      arm()
      const began = epoch
      try {
        return await work(() => epoch !== began)
      } finally {
        now()
        held = false
        arm()
      }
    })
    turn = mine.catch(() => {})
    return mine
  }

  const clock: SteeredClock = {
    now,
    monotonic: () => now() - started,
    after(ms, fn) {
      const earliest = first()
      const timer = timers.add(now() + Math.max(0, ms), fn)
      if (!earliest || timer.at < earliest.at) arm()
      const cancel = () => timers.remove(timer)
      return { cancel, [Symbol.dispose]: cancel }
    },
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
    get speed() {
      return speed
    },
    pending: () => timers.size,
    run(asked) {
      now()
      speed = asked
      arm()
    },
    advance: ms =>
      move(async stopped => {
        const target = at + ms
        let { working, answering, watched } = await settled()
        while (!stopped()) {
          const next = first(target)
          if (!next) break
          const most = watched ? watchedLeapMs : leapMs
          const leap = working || answering ? next.at : Math.max(next.at, Math.min(target, at + most))
          ;({ working, answering, watched } = await fire(leap))
        }
        if (!stopped()) at = target
      }),
    runUntilIdle: limitMs =>
      move(async stopped => {
        const limit = at + limitMs
        let { working } = await settled()
        while (!stopped() && working) {
          const next = first(limit)
          if (!next) {
            at = limit
            return false
          }
          working = (await fire(next.at)).working
        }
        return !working
      }),
    set(instant) {
      epoch++
      at = instant
      since = base.now()
      arm()
    },
  }
  return clock
}
