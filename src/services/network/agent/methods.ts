/** What a host's network agent does when called over the bus, and what it calls. Versioned, idempotent. */
import type { CallContext } from '#kernel/bus/bus.ts'
import type { ConvergeReport, HostNetworkState, LeaseSpec, PlaneFacts } from '../drivers/driver.ts'

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

export const networkControlVersion = 2
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

/** What a host carries itself. */
export interface OwnState {
  revision: number
  /** Without leases and members of groups; null when it is as it was at the revision that the host has. */
  state: HostNetworkState | null
}

/** A port in a security group. */
export interface MemberSpec {
  port_id: string
  /** Its own, and those that it may use besides. */
  addresses: string[]
}

/** What hosts know of each other, by port: the leases of a network, the members of a security group. */
export interface NeighbourSpecs {
  network: LeaseSpec
  group: MemberSpec
}
export type NeighbourKind = keyof NeighbourSpecs

/** What changed among the neighbours: ports that are other ones now, and ports that are there no more. */
export interface ChangedNeighbours<T> {
  id: string
  now: T[]
  gone: string[]
}

/** What agents ask for: the control plane of the release before has no more. */
export const plainVersion = 1
/** The control plane tells of neighbours by themselves. */
export const neighboursVersion = 2

/** What agents call on the control plane. */
export interface NetworkControlMethods {
  /** The host's desired state; null when it is still the one of the revision that the host has (`known`). */
  hostState(input: { host: string; known: number | null }, context: CallContext): Promise<HostNetworkState | null>
  /** The same without neighbours, and with nothing that the host has already. */
  ownState(input: { host: string; known: number | null }, context: CallContext): Promise<OwnState | null>
  /** Those of a network or group, some at a time in the order of their ports' ids; `next` is what to ask for as `after`. */
  neighbours(input: { kind: NeighbourKind; id: string; after: string | null }): Promise<{
    revision: number
    found: LeaseSpec[] | MemberSpec[]
    next: string | null
  }>
  /** What changed in networks and groups since a revision; those of which that is not known have to be asked for anew. */
  neighbourChanges(input: { networks: string[]; groups: string[]; since: number }): Promise<{
    revision: number
    network: ChangedNeighbours<LeaseSpec>[]
    group: ChangedNeighbours<MemberSpec>[]
    unknown: string[]
  }>
  /**
   * A sign of life, with what has changed since the last one. `started` is true in an agent's first. Answers the revision that the host
   * should have: an agent that has another one missed a call.
   */
  report(
    input: {
      host: string
      facts: PlaneFacts
      /** The plane makes nothing of neighbours. */
      alone?: boolean
      started: boolean
      converged: HostReport | null
    },
    context: CallContext,
  ): Promise<{ revision: number }>
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
