/** Which places a request's servers are to be at, by its hints and its group: seen from the servers that they belong to. */
import type { Ctx } from '#kernel/context.ts'
import { allPlaces, type Place } from '../places/place.ts'
import { hostLevel, type Nearness } from '../scheduler/places.ts'
import type { Group } from '../server-groups/server-group.ts'
import type { RequestSpec } from './server.ts'
import { type Elsewhere, hostsOfServers, siblingsOf } from './store.ts'

/** Hints whose values are levels, and what they mean. */
const hintsOfLevels: Record<string, Pick<Nearness, 'kind' | 'hard'>> = {
  same_place: { kind: 'together', hard: true },
  prefer_same_place: { kind: 'together', hard: false },
  spread_over: { kind: 'spread', hard: true },
  prefer_spread_over: { kind: 'spread', hard: false },
}

/** The levels that hints speak of. */
export const levelsOf = (hints: RequestSpec['scheduler_hints']): string[] =>
  Object.keys(hintsOfLevels).flatMap(name => hints[name] ?? [])

type Wish = Pick<Nearness, 'level' | 'kind' | 'hard' | 'most'>

function wishesOfHints(hints: RequestSpec['scheduler_hints']): Wish[] {
  return Object.entries(hintsOfLevels).flatMap(([name, wish]) =>
    (hints[name] ?? []).map(level => ({ ...wish, level, most: 1 })),
  )
}

/** Of a group that is about racks or the like: members of one rack are on different hosts of it, at least where there are enough. */
function wishesOfGroup({ policy, rules }: Group): Wish[] {
  const { level, max_server_per_host, max_server_per_place = 1 } = rules
  if (level === undefined) return []
  const hard = !policy.startsWith('soft-')
  if (policy.endsWith('anti-affinity')) return [{ level, kind: 'apart', hard, most: max_server_per_place }]
  return [
    { level, kind: 'together', hard, most: 1 },
    { level: hostLevel, kind: 'apart', hard: max_server_per_host !== undefined, most: max_server_per_host ?? 1 },
  ]
}

/** What is wished for, where the others are, and which places there are. Nothing is read when nobody asks. */
export async function nearnessFor(
  ctx: Ctx,
  { scheduler_hints: hints }: RequestSpec,
  group: Group | undefined,
  serverIds: readonly string[],
  elsewhere?: readonly Elsewhere[],
): Promise<Nearness[]> {
  const [byHints, byGroup] = [wishesOfHints(hints), group ? wishesOfGroup(group) : []]
  if (byHints.length + byGroup.length === 0) return []
  const places = await allPlaces(ctx)
  const isOther = (id: string) => !serverIds.includes(id)
  const members = (group?.members ?? []).filter(isOther)
  const siblings = byHints.length === 0 ? [] : (await siblingsOf(ctx, serverIds)).filter(isOther)
  const related = [...new Set([...members, ...siblings, ...(hints.related_servers ?? [])])]
  return [
    ...placed(byHints, await hostsOfServers(ctx, related, elsewhere), places),
    ...placed(byGroup, await hostsOfServers(ctx, members, elsewhere), places),
  ]
}

function placed(wishes: Wish[], hosts: Record<string, number>, all: Place[]): Nearness[] {
  return wishes.map(wish => {
    if (wish.level === hostLevel) return { ...wish, members: { ...hosts }, places: [] }
    const places = all.filter(({ level, hosts: there }) => level === wish.level && there.length > 0)
    const counts = places.map(({ name, hosts: there }) => [name, sum(there.map(host => hosts[host] ?? 0))] as const)
    const members = Object.fromEntries(counts.filter(([, count]) => count > 0))
    return { ...wish, members, places: places.map(({ name }) => name) }
  })
}

const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0)
