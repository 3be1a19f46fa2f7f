/** What a host's network agent does when called over the bus, and what it calls. Versioned, idempotent. */
import type { ConvergeReport, HostNetworkState, MetadataResponse } from '../drivers/driver.ts'

export const networkAgentVersion = 1

export const networkAgentSubject = (hostWord: string) => `host.${hostWord}.network`

export interface NetworkAgentMethods {
  /** Fetches the desired state, converges to it, and says what is wired. Calls that come while one runs share the next run. */
  sync(input: null): Promise<ConvergeReport>
}

/** What agents call on the control plane: subject `control.network`. */
export interface NetworkControlMethods {
  hostState(input: { host: string }): Promise<HostNetworkState>
  report(input: {
    host: string
    report: ConvergeReport
    facts: { name: string; extensions: string[]; problems: string[] }
  }): Promise<null>
  metadata(input: {
    host: string
    network_id: string
    source_ip: string
    method: string
    path: string
    body: string
  }): Promise<MetadataResponse>
}
