/** What a host reports of itself and its guests: on a timer, and soon after changes. */
import { NoResponder } from '#kernel/bus/bus.ts'
import type { Client } from '#kernel/bus/methods.ts'
import { messageOf } from '#kernel/errors.ts'
import type { ComputeAgentOptions } from './agent.ts'
import { machineState } from './machine.ts'
import type { ComputeControlMethods } from './methods.ts'

type Options = Pick<ComputeAgentOptions, 'host' | 'driver' | 'clock' | 'log' | 'machine'>
type Control = Client<ComputeControlMethods>

export const reportEveryMs = 10_000
/** After a report that nobody took: the control plane may just be starting. */
const retryReportMs = 2_000

/** Reports one at a time, until the signal aborts; changes meanwhile share the next one. */
export function reporter(
  { host, driver, clock, log, machine = machineState }: Options,
  control: Control,
  signal: AbortSignal,
) {
  let started = true
  let running: Promise<void> | undefined
  let again = false
  let timer: Disposable | undefined
  /** When the timer fires, on the monotonic clock. */
  let due = Number.POSITIVE_INFINITY

  async function send(): Promise<number> {
    try {
      const [facts, guests] = await Promise.all([driver.facts(), driver.list()])
      await control.call('report', { host, facts, guests, started, machine: machine() }, { signal })
      started = false
      return reportEveryMs
    } catch (error) {
      if (signal.aborted) return reportEveryMs
      const level = error instanceof NoResponder ? 'debug' : 'warn'
      log[level]({ err: messageOf(error) }, 'the report did not arrive; trying again')
      return retryReportMs
    }
  }
  function soon(): void {
    if (signal.aborted) return
    if (running) {
      again = true
      return
    }
    timer?.[Symbol.dispose]()
    due = Number.POSITIVE_INFINITY
    running = send().then(waitMs => {
      running = undefined
      if (again) {
        again = false
        soon()
      } else within(waitMs)
    })
  }
  /** At the latest in so many milliseconds. */
  function within(ms: number): void {
    const at = clock.monotonic() + ms
    if (signal.aborted || at >= due) return
    due = at
    timer?.[Symbol.dispose]()
    timer = clock.after(ms, soon)
  }
  return {
    soon,
    within,
    async stop() {
      timer?.[Symbol.dispose]()
      await running
    },
  }
}
