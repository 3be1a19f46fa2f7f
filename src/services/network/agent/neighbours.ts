/** A host's neighbours as its agent keeps them: by port, in order, brought up to date with the changes alone. */
import type { HostNetworkState, LeaseSpec } from '../drivers/driver.ts'
import type { ChangedNeighbours, MemberSpec } from './methods.ts'

/** Networks with guests on the host: their DHCP and DNS are there. */
export const leasedNetworks = ({ ports }: HostNetworkState): string[] => [
  ...new Set(ports.map(port => port.network_id)),
]

/** Groups whose members the rules of the host's ports name. */
export const remoteGroups = ({ security_groups }: HostNetworkState): string[] => [
  ...new Set(security_groups.flatMap(group => group.rules.flatMap(rule => rule.remote_group_id ?? []))),
]

export function withNeighbours(
  own: HostNetworkState,
  { leases, members }: { leases: (networkId: string) => LeaseSpec[]; members: (groupId: string) => string[] },
): HostNetworkState {
  return {
    ...own,
    networks: own.networks.map(network => ({ ...network, leases: leases(network.id) })),
    security_groups: own.security_groups.map(group => ({ ...group, members: members(group.id) })),
  }
}

export const addressesOf = (members: readonly MemberSpec[]): string[] =>
  [...new Set(members.flatMap(member => member.addresses))].sort()

type OfPort = { port_id: string }

/** The list with the changes, in the order of ports; the one before stays as it was. */
export function withChanges<T extends OfPort>(
  list: readonly T[],
  { now, gone }: Pick<ChangedNeighbours<T>, 'now' | 'gone'>,
): T[] {
  const changed = list.slice()
  for (const port_id of gone) {
    const at = placeOf(changed, port_id)
    if (changed[at]?.port_id === port_id) changed.splice(at, 1)
  }
  for (const one of now) {
    const at = placeOf(changed, one.port_id)
    changed.splice(at, changed[at]?.port_id === one.port_id ? 1 : 0, one)
  }
  return changed
}

/** Where the port is, or would be. */
function placeOf(list: readonly OfPort[], portId: string): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (list[middle]!.port_id < portId) low = middle + 1
    else high = middle
  }
  return low
}
