/** Lets the event loop do other things between statements: SQLite answers at once, so work made of statements never waits for anything. */
import { systemClock } from '../clock.ts'
import { nextTurn } from '../turns.ts'

/** How long statements, and what is done between them, may hold the loop. */
const mostMs = 8

const clock = systemClock()

/** A function to be called before each statement; what it returns, if anything, is to be awaited. */
export function breather(): () => Promise<void> | undefined {
  let began: number | undefined
  return () => {
    if (began === undefined) {
      began = clock.monotonic()
      setImmediate(() => {
        began = undefined
      })
      return undefined
    }
    return clock.monotonic() - began < mostMs ? undefined : nextTurn()
  }
}
