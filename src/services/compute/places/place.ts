/** Places: racks, rows, power units. An aggregate's metadata says where its hosts are, `place:rack=r1`; the word after `place:` is the level. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import type { AggregateRow } from '../aggregates/aggregate.ts'
import { aggregatesOf, allAggregates } from '../aggregates/store.ts'
import { hostLevel, placePrefix } from '../scheduler/places.ts'

export const levelPattern = '^[a-z][a-z0-9_]{0,63}$'

export interface Place {
  /** `rack=r1` */
  id: string
  level: string
  name: string
  hosts: string[]
}

export const placeId = (level: string, name: string): string => `${level}=${name}`

/** What an aggregate says of its hosts: places by level. */
export function placesIn({ metadata }: Pick<AggregateRow, 'metadata'>): [level: string, name: string][] {
  return Object.entries(metadata).flatMap(([key, name]): [string, string][] =>
    key.startsWith(placePrefix) ? [[key.slice(placePrefix.length), name]] : [],
  )
}

/** All there are, by level and name. A host is at one place of a level: the one that its oldest aggregate says. */
export async function allPlaces(ctx: Ctx): Promise<Place[]> {
  const found = new Map<string, Place>()
  const settled = new Set<string>()
  for (const aggregate of await allAggregates(ctx.db)) {
    for (const [level, name] of placesIn(aggregate)) {
      const id = placeId(level, name)
      const place = found.get(id) ?? { id, level, name, hosts: [] }
      found.set(id, place)
      for (const host of aggregate.hosts) {
        if (settled.has(`${level} ${host}`)) continue
        settled.add(`${level} ${host}`)
        place.hosts.push(host)
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place)
}

/** Where these hosts are: the names of places by level, by host. */
export async function placesOf(ctx: Ctx, hosts: readonly string[]): Promise<Map<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>()
  for (const { host, metadata } of await aggregatesOf(ctx.db, hosts)) {
    const levels = found.get(host) ?? new Map<string, string>()
    found.set(host, levels)
    for (const [level, name] of placesIn({ metadata })) if (!levels.has(level)) levels.set(level, name)
  }
  return found
}

/** Throws for a level that no aggregate speaks of, with those that there are. */
export async function requireLevels(ctx: Ctx, levels: readonly string[]): Promise<void> {
  const wanted = levels.filter(level => level !== hostLevel)
  if (wanted.length === 0) return
  const known = new Set((await allPlaces(ctx)).map(place => place.level))
  const unknown = wanted.find(level => !known.has(level))
  if (unknown !== undefined)
    throw new BadRequest(`No host is at a place of level ${unknown}: use one of ${[hostLevel, ...known].join(', ')}.`)
}
