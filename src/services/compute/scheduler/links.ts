/** Links between servers: how many hops apart they may be, and what they take of the uplinks on their way. */
import type { HostState, ScheduleRequest } from './scheduler.ts'

/** Where a host is in the network. */
export interface Spot {
  host: string
  /** The host, its rack, its row and so on, outwards: alike for hosts that share it. */
  keys: readonly string[]
  /** What the traffic of each of these leaves by; undefined where nobody has said which one it is. */
  uplinks: readonly (string | undefined)[]
}

/** The network as operators tell of it. */
export interface Network {
  /** Levels of places from the host outwards, such as rack and row: two hops for the first that two hosts share, two more for each after it. */
  levels: readonly string[]
  /** Mbit/s that are free, by uplink. One that is not here has none to promise. */
  free: Readonly<Record<string, number>>
}

/** A link of the server that is placed. */
export interface LinkWish {
  /** The server at its other end, and where that is: in several places while it moves. */
  peer: string
  spots: readonly Spot[]
  max_hops: number | null
  /** Mbit/s; 0 for none. */
  bandwidth: number
  /** Uplinks where it has its bandwidth already. */
  held: readonly string[]
}

export const uplinkOfPlace = (level: string, place: string): string => `${level}=${place}`

/** `provider` stands for the host's own uplink. A rack that is named in two rows is two racks. */
export function spotAt(
  { host, provider }: Pick<HostState, 'host' | 'provider'>,
  placeOf: (level: string) => string | undefined,
  levels: readonly string[],
): Spot {
  const names = [host]
  const uplinks: (string | undefined)[] = [provider]
  for (const level of levels) {
    const place = placeOf(level)
    uplinks.push(place === undefined ? undefined : uplinkOfPlace(level, place))
    // It is shared with nobody but those with whom all below is shared.
    names.push(place ?? `?${names.at(-1)}`)
  }
  const keys = names.toReversed()
  for (let i = 1; i < keys.length; i++) keys[i] += `\n${keys[i - 1]}`
  return { host, keys: keys.reverse(), uplinks }
}

/** The level that two hosts share: 0 for the same host, one above all levels for nothing in common. */
function sharedLevel(a: Spot, b: Spot): number {
  const level = a.keys.findIndex((key, at) => key === b.keys[at])
  return level < 0 ? a.keys.length : level
}

export const hopsBetween = (a: Spot, b: Spot): number => 2 * sharedLevel(a, b)

/** What a link between the two goes through. */
export function uplinksBetween(a: Spot, b: Spot): string[] {
  const level = sharedLevel(a, b)
  const passed = [...a.uplinks.slice(0, level), ...b.uplinks.slice(0, level)]
  return [...new Set(passed.filter(uplink => uplink !== undefined))]
}

/** Why a host is not where a server's links allow it to be. No list of filters turns it off: links are promised. */
export function refusedByLinks(host: HostState, { links, network }: ScheduleRequest) {
  if (!links || links.length === 0 || !network) return undefined
  const spot = spotAt(host, level => host.aggregate_metadata[`place:${level}`]?.[0], network.levels)
  const needs = new Map<string, number>()
  for (const { peer, spots, max_hops, bandwidth, held } of links) {
    const farthest = Math.max(0, ...spots.map(other => hopsBetween(spot, other)))
    if (max_hops !== null && farthest > max_hops)
      return { asked: `at most ${max_hops} hops to server ${peer}`, had: `${farthest} hops` }
    if (bandwidth === 0) continue
    const passed = new Set(spots.flatMap(other => uplinksBetween(spot, other)))
    for (const uplink of passed) if (!held.includes(uplink)) needs.set(uplink, (needs.get(uplink) ?? 0) + bandwidth)
  }
  for (const [uplink, need] of needs) {
    const free = network.free[uplink]
    const whose = uplink === host.provider ? 'its uplink' : `the uplink of ${uplink}`
    if (free === undefined || free < need)
      return { asked: `${need} Mbit/s on ${whose}`, had: free === undefined ? 'nothing known of it' : `${free} free` }
  }
  return undefined
}
