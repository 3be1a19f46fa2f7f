/** What a host must carry, put together: its own part comes whole when it changed, and of its neighbours only what changed. */
import { type Client, UnsupportedVersion } from '#kernel/bus/methods.ts'
import type { HostNetworkState, LeaseSpec } from '../drivers/driver.ts'
import {
  type ChangedNeighbours,
  type MemberSpec,
  type NeighbourKind,
  type NeighbourSpecs,
  type NetworkControlMethods,
  neighboursVersion,
} from './methods.ts'
import { addressesOf, leasedNetworks, remoteGroups, withChanges, withNeighbours } from './neighbours.ts'

export interface DesiredOptions {
  host: string
  control: Client<NetworkControlMethods>
  /** Neighbours are not asked for. */
  alone: boolean
  signal: AbortSignal
}

type Page = Awaited<ReturnType<NetworkControlMethods['neighbours']>>

/** Neighbours by network, or by group. */
type Circles<T> = Map<string, readonly T[]>

/** Fetches the desired state; null when it is still that of the revision `known`, which must be one that this has fetched. */
export function desiredState({ host, control, alone, signal }: DesiredOptions) {
  let own: HostNetworkState | undefined
  const networks: Circles<LeaseSpec> = new Map()
  const groups: Circles<MemberSpec> = new Map()
  const addresses = new WeakMap<readonly MemberSpec[], string[]>()
  /** Of what is kept of all of them. */
  let revision = 0

  const options = { signal, version: neighboursVersion }

  /** All of a network's or group's, and the revision since which its changes are to be asked for. */
  async function whole<K extends NeighbourKind>(
    kind: K,
    id: string,
  ): Promise<{ since: number; all: NeighbourSpecs[K][] }> {
    const all: NeighbourSpecs[K][] = []
    let since = Number.POSITIVE_INFINITY
    for (let after: string | null = null; ; ) {
      const page: Page = await control.call('neighbours', { kind, id, after }, options)
      since = Math.min(since, page.revision)
      all.push(...(page.found as NeighbourSpecs[K][]))
      after = page.next
      if (after === null) break
    }
    return { since, all: all.sort((a, b) => (a.port_id < b.port_id ? -1 : 1)) }
  }

  async function refresh(wantedNetworks: string[], wantedGroups: string[]): Promise<void> {
    keepOnly(networks, wantedNetworks)
    keepOnly(groups, wantedGroups)
    let newest = revision
    if (networks.size + groups.size > 0) {
      const known = { networks: [...networks.keys()], groups: [...groups.keys()], since: revision }
      const changes = await control.call('neighbourChanges', known, options)
      newest = changes.revision
      apply(networks, changes.network)
      apply(groups, changes.group)
      for (const id of changes.unknown) {
        networks.delete(id)
        groups.delete(id)
      }
    }
    // Changes are asked for together, so since the earliest: those that are told twice do no harm.
    const since = [networks.size + groups.size > 0 ? newest : Number.POSITIVE_INFINITY]
    for (const [kind, circles, wanted] of [
      ['network', networks, wantedNetworks],
      ['group', groups, wantedGroups],
    ] as const)
      for (const id of wanted) {
        if (circles.has(id)) continue
        const fetched = await whole(kind, id)
        since.push(fetched.since)
        ;(circles as Circles<unknown>).set(id, fetched.all)
      }
    revision = Math.min(...since)
  }

  function membersOf(id: string): string[] {
    const members = groups.get(id)
    if (!members) return []
    const known = addresses.get(members) ?? addressesOf(members)
    addresses.set(members, known)
    return known
  }

  return async (known: number | null): Promise<HostNetworkState | null> => {
    const answer = await control.call('ownState', { host, known: own ? known : null }, options).catch(tooOld)
    if (answer === undefined) {
      // What comes now is not kept: a newer control plane is asked for everything again.
      own = undefined
      return control.call('hostState', { host, known }, { signal })
    }
    if (answer === null) return null
    own = answer.state ?? { ...own!, revision: answer.revision }
    if (alone) return own
    await refresh(leasedNetworks(own), remoteGroups(own))
    return withNeighbours(own, { leases: id => [...(networks.get(id) ?? [])], members: membersOf })
  }
}

/** The control plane is of the release before. */
function tooOld(error: unknown): undefined {
  if (!(error instanceof UnsupportedVersion)) throw error
  return undefined
}

function keepOnly(circles: Circles<unknown>, wanted: readonly string[]): void {
  for (const id of circles.keys()) if (!wanted.includes(id)) circles.delete(id)
}

function apply<T extends { port_id: string }>(circles: Circles<T>, changes: ChangedNeighbours<T>[]): void {
  for (const change of changes) circles.set(change.id, withChanges(circles.get(change.id)!, change))
}
