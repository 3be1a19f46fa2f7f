/** How near to one another servers are to be: in one rack, in different ones, spread over power units. Operators say where hosts are: `place:rack=r1`. */
import type { Filter } from './filters.ts'
import type { HostState, ScheduleRequest } from './scheduler.ts'

/** Begins the keys of aggregates' metadata that say where their hosts are. */
export const placePrefix = 'place:'

/** The level that needs nobody to say so: each host is a place. */
export const hostLevel = 'host'

/** Of servers that belong together. */
export interface Nearness {
  level: string
  /** `together`: all in one place. `apart`: at most `most` in a place. `spread`: as many in one place as in any other. */
  kind: 'together' | 'apart' | 'spread'
  /** Else it is a wish, and only weighs. */
  hard: boolean
  most: number
  /** How many of them are there, by place. */
  members: Record<string, number>
  /** All places of the level. */
  places: string[]
  /** Places that turned out to have too little room for all of them. */
  shut?: string[]
}

/** Where a host is; undefined when nobody has said. */
export function placeOf(host: HostState, level: string): string | undefined {
  return level === hostLevel ? host.host : host.aggregate_metadata[`${placePrefix}${level}`]?.[0]
}

const refuses: Record<Nearness['kind'], (near: Nearness, place: string) => { asked: string; had: string } | undefined> =
  {
    together({ level, members, shut }, place) {
      const taken = Object.keys(members)
      if (taken.length > 0 && !members[place])
        return { asked: `${level} ${taken.join(' or ')}`, had: `${level} ${place}` }
      return shut?.includes(place)
        ? { asked: `a ${level} with room for all of these servers`, had: `${level} ${place}, which has less` }
        : undefined
    },
    apart({ level, members, most }, place) {
      const present = members[place] ?? 0
      const asked = `a ${level} with fewer than ${most} of these servers`
      return present < most ? undefined : { asked, had: `${present} in ${level} ${place}` }
    },
    spread({ level, members, places }, place) {
      const present = members[place] ?? 0
      // A single place is no spread: it stands as one of two.
      const least = places.length < 2 ? 0 : Math.min(...places.map(one => members[one] ?? 0))
      const asked = `a ${level} with no more than ${least} of these servers`
      return present <= least ? undefined : { asked, had: `${present} in ${level} ${place}` }
    },
  }

export const placeFilter: Filter = (host, { nearness = [] }) => {
  for (const wish of nearness) {
    if (!wish.hard) continue
    const place = placeOf(host, wish.level)
    if (place === undefined) return { asked: `a host with a known ${wish.level}`, had: `no ${wish.level}` }
    const refusal = refuses[wish.kind](wish, place)
    if (refusal) return refusal
  }
  return undefined
}

/** The higher, the nearer to what is wished for. Hosts of which nothing is known come last. */
export function nearnessOf(host: HostState, { level, kind, members }: Nearness): number {
  const place = placeOf(host, level)
  if (kind === 'together') return place === undefined ? -1 : (members[place] ?? 0)
  return place === undefined ? -1 - Math.max(0, ...Object.values(members)) : -(members[place] ?? 0)
}

/** A server of the request is on the host now. */
export function occupy(host: HostState, { nearness = [] }: ScheduleRequest): void {
  for (const { level, members } of nearness) {
    const place = placeOf(host, level)
    if (place !== undefined) members[place] = (members[place] ?? 0) + 1
  }
}
