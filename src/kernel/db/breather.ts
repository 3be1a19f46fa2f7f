/** Lets the event loop do other things between statements: SQLite answers at once, so work made of statements never waits for anything. */
import { systemClock } from '../clock.ts'
import { nextTurn } from '../turns.ts'

/** How long statements, and what is done between them, may hold the loop. */
const mostMs = 8

const clock = systemClock()

/** To be called before a piece of work; what it returns, if anything, is to be awaited. */
type Breathe = () => Promise<void> | undefined

export interface Breather {
  /** What is under way goes on with the next turn of the loop, so that it ends before more begins. */
  statement: Breathe
  /**
   * What has not begun waits for a turn that has time for it: many at once would hold the loop before the first of their statements. One a turn begins
   * in any case, in the order in which they came: there may be no such turn for as long as much is built.
   */
  request: Breathe
  /** Of many who have waited for the same, and would go on all at once: each does so as a request begins. */
  woken(): Promise<void>
}

export function breather(): Breather {
  let began: number | undefined
  let hasBegunLate = false
  function hasTime(): boolean {
    if (began !== undefined) return clock.monotonic() - began < mostMs
    began = clock.monotonic()
    setImmediate(() => {
      began = undefined
      hasBegunLate = false
    })
    return true
  }
  async function turnWithTime(): Promise<void> {
    do await nextTurn()
    while (!hasTime() && hasBegunLate)
    hasBegunLate = true
  }
  return {
    statement: () => (hasTime() ? undefined : nextTurn()),
    request: () => (hasTime() ? undefined : turnWithTime()),
    woken: turnWithTime,
  }
}
