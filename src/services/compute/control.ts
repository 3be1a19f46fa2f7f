/** What agents call: takes their reports, and tells servers what became of their guests. */
import { serveMethods } from '#kernel/bus/methods.ts'
import { type Ctx, type Env, systemCtx } from '#kernel/context.ts'
import { turnstile } from '#kernel/turnstile.ts'
import { type ComputeControlMethods, computeControlSubject, computeControlVersion } from './agent/methods.ts'
import type { GuestState } from './drivers/driver.ts'
import { keepReport } from './hosts/report.ts'

/** What servers want to know of hosts. */
export interface GuestWatcher {
  /** All guests of a host, as its agent found them. */
  reported(ctx: Ctx, host: string, guests: GuestState[], started: boolean): Promise<void>
  /** A guest changed its power state by itself. */
  changed(ctx: Ctx, host: string, guest: GuestState, reason: string): Promise<void>
}

/** When thousands of hosts begin at once, their reports take longer than they wait: what nobody waits for is not begun. */
const reportsAtOnce = 8

/** Serves the agents' calls until disposed of. */
export function serveComputeControl(env: Env, watcher?: GuestWatcher): AsyncDisposable {
  const reports = turnstile(reportsAtOnce)
  return serveMethods<ComputeControlMethods>(env.bus, computeControlSubject, computeControlVersion, {
    report: (report, { signal }) =>
      reports(async () => {
        const ctx = systemCtx(env)
        await keepReport(ctx, report)
        await watcher?.reported(ctx, report.host, report.guests, report.started)
        return null
      }, signal),
    async guestEvent({ host, id, power_state, reason }) {
      const ctx = systemCtx(env)
      ctx.log.info({ host, guest: id, power_state, reason }, 'a guest changed by itself')
      await watcher?.changed(ctx, host, { id, power_state }, reason)
      return null
    },
  })
}
