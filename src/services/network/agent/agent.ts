/** The network half of a host's agent: keeps the data plane as the control plane wants it, and answers guests' metadata requests. */
import { type Bus, NoResponder, subjectWord } from '#kernel/bus/bus.ts'
import { type Client, client, serveMethods } from '#kernel/bus/methods.ts'
import type { Clock } from '#kernel/clock.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import type { ConvergeReport, DataPlane } from '../drivers/driver.ts'
import { coalesced } from './coalesced.ts'
import { type Convergence, convergence } from './convergence.ts'
import { forwardMetadata } from './metadata.ts'
import {
  type NetworkAgentMethods,
  type NetworkControlMethods,
  networkAgentSubject,
  networkAgentVersion,
  networkControlSubject,
  plainVersion,
} from './methods.ts'

export interface NetworkAgentOptions {
  bus: Bus
  host: string
  plane: DataPlane
  clock: Clock
  log: Log
}

const reportEveryMs = 10_000
/** After a report that nobody took: the control plane may just be starting. */
const retryReportMs = 2_000
const controlTimeoutMs = 30_000

/** Converges the host, serves calls, and reports until disposed of. What the plane carries stays; the plane itself is the caller's. */
export async function networkAgent(options: NetworkAgentOptions): Promise<AsyncDisposable> {
  const { bus, host, plane, clock } = options
  const log = options.log.child({ host })
  const control = client<NetworkControlMethods>(bus, networkControlSubject, {
    timeoutMs: controlTimeoutMs,
    version: plainVersion,
  })
  const stopping = new AbortController()
  const convergent = convergence({ host, plane, clock, log, control, signal: stopping.signal })
  const syncs = coalesced(convergent.sync)
  const reports = reporter(control, { ...options, log }, convergent, syncs.ask, stopping.signal)
  plane.onMetadata(forwardMetadata(control, host))
  const served = serveMethods<NetworkAgentMethods>(bus, networkAgentSubject(subjectWord(host)), networkAgentVersion, {
    sync: async () => {
      const report = await syncs.ask()
      await reports.now()
      return report
    },
  })
  void reports.now()

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the agent stops'))
      await reports.stop()
      await syncs.idle()
      await served[Symbol.asyncDispose]()
    },
  }
}

/** Tells the control plane what was done, after every run and on a timer; the answer says whether a call was missed. */
function reporter(
  control: Client<NetworkControlMethods>,
  { host, plane, clock, log }: NetworkAgentOptions,
  convergent: Convergence,
  sync: () => Promise<ConvergeReport>,
  signal: AbortSignal,
) {
  let started = true
  /** Asked of a beat alone, not of the report after a run: what cannot be carried would be tried without a pause. */
  let beat = true
  let timer: Disposable | undefined
  const sending = coalesced(send)

  async function send(): Promise<void> {
    timer?.[Symbol.dispose]()
    const looking = beat
    beat = false
    let waitMs = reportEveryMs
    try {
      const facts = await plane.facts()
      const converged = convergent.unreported()
      const alone = plane.alone === true
      const { revision } = await control.call('report', { host, facts, alone, started, converged }, { signal })
      started = false
      convergent.reported(converged)
      if (looking && convergent.due(revision)) void sync().then(sending.ask).catch(failed)
    } catch (error) {
      waitMs = retryReportMs
      failed(error)
    }
    if (!signal.aborted)
      timer = clock.after(waitMs, () => {
        beat = true
        void sending.ask()
      })
  }
  function failed(error: unknown): void {
    if (signal.aborted) return
    const level = error instanceof NoResponder ? 'debug' : 'warn'
    log[level]({ err: messageOf(error) }, 'the control plane was not reached; trying again')
  }
  return {
    now: () => sending.ask(),
    async stop() {
      timer?.[Symbol.dispose]()
      await sending.idle()
      timer?.[Symbol.dispose]()
    },
  }
}
