/** Brings the data plane to the state that the control plane wants, and remembers what came of it. */
import type { Client } from '#kernel/bus/methods.ts'
import type { Clock } from '#kernel/clock.ts'
import type { Log } from '#kernel/log.ts'
import type { ConvergeReport, DataPlane, HostNetworkState } from '../drivers/driver.ts'
import { desiredState } from './desired.ts'
import type { Carried, HostReport, NetworkControlMethods } from './methods.ts'

export interface ConvergenceOptions {
  host: string
  plane: DataPlane
  clock: Clock
  log: Log
  control: Client<NetworkControlMethods>
  signal: AbortSignal
}

export interface Convergence {
  /** One run: fetch, converge. Nothing is done when the host has the newest state already. */
  sync(): Promise<ConvergeReport>
  /** Whether a run is wanted: the control plane has another revision, something failed, or it is time to look whether all still stands. */
  due(revision: number): boolean
  /** What the control plane has not heard yet. */
  unreported(): HostReport | null
  reported(what: HostReport | null): void
}

/** Even when nothing changed: somebody may have taken away what we made. */
const auditEveryMs = 300_000

export function convergence({ host, plane, clock, log, control, signal }: ConvergenceOptions): Convergence {
  const fetchDesired = desiredState({ host, control, alone: plane.alone === true, signal })
  let last: HostReport | undefined
  let unheard: HostReport | undefined
  let lookedAt = Number.NEGATIVE_INFINITY

  const auditDue = () => clock.monotonic() - lookedAt >= auditEveryMs
  const sound = () => last !== undefined && last.report.problems.length === 0

  async function sync(): Promise<ConvergeReport> {
    signal.throwIfAborted()
    const known = last && sound() && !auditDue() ? last.report.revision : null
    const desired = await fetchDesired(known)
    if (desired === null) return last!.report
    const report = await plane.converge(desired)
    lookedAt = clock.monotonic()
    last = { report, carried: carriedOf(desired, report) }
    unheard = last
    if (report.problems.length > 0)
      log.warn({ revision: report.revision, problems: report.problems.slice(0, 20) }, 'the network is not all carried')
    return report
  }

  return {
    sync,
    due: revision => !sound() || last?.report.revision !== revision || auditDue(),
    unreported: () => unheard ?? null,
    reported(what) {
      if (unheard === what) unheard = undefined
    },
  }
}

function carriedOf(desired: HostNetworkState, { problems }: ConvergeReport): Carried {
  const broken = new Set(problems.map(problem => problem.id))
  const whole = (items: readonly { id: string }[]) => items.map(item => item.id).filter(id => !broken.has(id))
  const routers = desired.routers.filter(router => !broken.has(router.id))
  return {
    networks: whole(desired.networks.filter(network => network.dhcp_port)),
    routers: whole(routers),
    floating_ips: whole(routers.flatMap(router => router.floating_ips)),
  }
}
