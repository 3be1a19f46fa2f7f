/** The controls of time. */
import type { ClockState, Controls } from './controls.ts'
import type { SteeredClock } from './steered-clock.ts'

const defaultLimitSeconds = 3600

export function clockControls(clock: SteeredClock): Controls['clock'] {
  const state = (): ClockState => ({
    now: new Date(clock.now()).toISOString(),
    frozen: clock.speed === 0,
    speed: clock.speed,
    timers: clock.pending(),
  })
  return {
    show: async () => state(),
    async freeze() {
      clock.run(0)
      return state()
    },
    async run(speed = 1) {
      clock.run(speed)
      return state()
    },
    async advance(seconds) {
      await clock.advance(seconds * 1000)
      return state()
    },
    async runUntilIdle(limitSeconds = defaultLimitSeconds) {
      const idle = await clock.runUntilIdle(limitSeconds * 1000)
      return { ...state(), idle }
    },
  }
}
