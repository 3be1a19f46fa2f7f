/** What a host's network agent does when called over the bus, and what it calls. Versioned, idempotent. */
import type { ConvergeReport, HostNetworkState, PlaneFacts } from '../drivers/driver.ts'

export const networkAgentVersion = 1

/** Subject of a host's network agent. Hosts' names may have dots, so use `subjectWord(host)`. */
export const networkAgentSubject = (hostWord: string) => `host.${hostWord}.network`

export interface NetworkAgentMethods {
  /**
   * Fetches the desired state, converges to it, tells the control plane, and says what is wired. Calls that come while one runs share the
   * next run.
   */
  sync(input: null): Promise<ConvergeReport>
}

export const networkControlVersion = 1
export const networkControlSubject = 'control.network'

/** What of the desired state a host carries now, besides ports. */
export interface Carried {
  networks: string[]
  routers: string[]
  floating_ips: string[]
}

/** What the host converged to. */
export interface HostReport {
  report: ConvergeReport
  carried: Carried
}

/** What agents call on the control plane. */
export interface NetworkControlMethods {
  /** The host's desired state; null when it is still the one of the revision that the host has (`known`). */
  hostState(input: { host: string; known: number | null }): Promise<HostNetworkState | null>
  /**
   * A sign of life, with what has changed since the last one. `started` is true in an agent's first. Answers the revision that the host
   * should have: an agent that has another one missed a call.
   */
  report(input: {
    host: string
    facts: PlaneFacts
    started: boolean
    converged: HostReport | null
  }): Promise<{ revision: number }>
  /** A guest's request, known by its network and address alone. */
  metadata(input: {
    host: string
    network_id: string
    source_ip: string
    method: string
    path: string
    body: string
  }): Promise<{ status: number; headers: Record<string, string>; body_base64: string }>
}
