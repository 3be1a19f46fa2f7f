/**
 * Hosts for different servers with links between them, chosen as one. Tries, and takes back what leads nowhere; of hosts that are the same
 * to this bundle one is tried, so that what is impossible is soon known to be.
 */
import { hopsBetween, type Network, type Spot, spotAt, uplinksBetween } from './links.ts'
import { hostLevel, placeOf } from './places.ts'
import { type HostState, passing, type ScheduleRequest, type SchedulerOptions } from './scheduler.ts'
import { sharesBy } from './shares.ts'

export interface BundleServer {
  request: ScheduleRequest
  /** Those that it may be on, best first. Alike servers share one list. */
  hosts: readonly HostState[]
}

export interface BundleLink {
  /** Which of the servers. */
  ends: readonly [number, number]
  max_hops: number | null
  /** Mbit/s; 0 for none. */
  bandwidth: number
}

export interface BundleOptions extends Pick<SchedulerOptions, 'filters' | 'settings' | 'extensions'> {
  /** How many times a host may still be looked at: what several searches have together, counted down. */
  looks: { left: number }
  /** Lets others have their turn; called now and then. */
  breathe: () => Promise<void>
  /** Where hosts are, by name: remembered from one search to the next. */
  spots: Map<string, Spot>
}

/** `none`: there is no way. `unknown`: none was found in the tries that it may take. */
export type Found = { hosts: HostState[] } | 'none' | 'unknown'

/** How many hosts are looked at before others get their turn. */
const atOnce = 500

/** What is tried for one server. */
interface Frame {
  server: number
  hosts: readonly HostState[]
  next: number
  /** Gives back what the present try took. */
  undo: (() => void) | undefined
}

/** Neither hosts nor requests are other than before when it ends, but for counts of groups while it works. */
export async function chooseBundle(
  servers: readonly BundleServer[],
  links: readonly BundleLink[],
  network: Network,
  options: BundleOptions,
): Promise<Found> {
  const ground = groundOf(servers, links, network, options)
  let looked = 0
  for (const host of new Set(servers.flatMap(({ hosts }) => hosts))) {
    if (looked++ % atOnce === 0) await options.breathe()
    ground.learn(host)
  }
  const order = orderOf(servers, links)
  const frames: Frame[] = []
  const begin = (server: number) => frames.push({ server, hosts: ground.hostsFor(server), next: 0, undo: undefined })
  const end = () => {
    for (const { undo } of frames.reverse()) undo?.()
  }
  begin(order[0]!)
  for (let tries = 1; ; tries++) {
    const frame = frames.at(-1)
    if (!frame) return 'none'
    frame.undo?.()
    frame.undo = undefined
    const host = frame.hosts[frame.next++]
    if (!host) {
      frames.pop()
      continue
    }
    if (tries % atOnce === 0) await options.breathe()
    if (options.looks.left === 0) {
      end()
      return 'unknown'
    }
    options.looks.left--
    frame.undo = ground.put(frame.server, host)
    if (!frame.undo) continue
    if (frames.length < order.length) {
      begin(order[frames.length]!)
      continue
    }
    const hosts = ground.chosen()
    end()
    return { hosts }
  }
}

/** Each after one that it is to be near to: so that few hosts are left for it. */
function orderOf(servers: readonly BundleServer[], links: readonly BundleLink[]): number[] {
  const left = new Set(servers.keys())
  const order: number[] = []
  while (left.size > 0) {
    const nearness = (server: number) =>
      Math.min(
        Number.POSITIVE_INFINITY,
        ...links.flatMap(({ ends: [a, b], max_hops }) => {
          const other = a === server ? b : b === server ? a : server
          return other === server || left.has(other) ? [] : [max_hops ?? Number.MAX_SAFE_INTEGER]
        }),
      )
    const [first] = [...left]
      .map(server => ({ server, near: nearness(server) }))
      .sort((x, y) =>
        x.near === y.near ? servers[x.server]!.hosts.length - servers[y.server]!.hosts.length : x.near - y.near,
      )
    left.delete(first!.server)
    order.push(first!.server)
  }
  return order
}

/** The hosts with what is taken of them in the present try. */
function groundOf(
  servers: readonly BundleServer[],
  links: readonly BundleLink[],
  network: Network,
  options: BundleOptions,
) {
  const { spots } = options
  const spotOf = (host: HostState) => {
    const known = spots.get(host.host)
    if (known) return known
    const spot = spotAt(host, level => placeOf(host, level), network.levels)
    spots.set(host.host, spot)
    return spot
  }
  const chosen: (HostState | undefined)[] = servers.map(() => undefined)
  const there = new Map<string, { host: HostState; requests: ScheduleRequest[] }>()
  const used = new Map<string, number>()
  const ofServer = servers.map((_, server) =>
    links.flatMap(({ ends: [a, b], max_hops, bandwidth }) =>
      a === server || b === server ? [{ other: a === server ? b : a, max_hops, bandwidth }] : [],
    ),
  )
  const kindOf = kindsOf(servers, links, network, spotOf)
  const listOf = listsBy(spotOf, kindOf)

  return {
    chosen: () => chosen.map(host => host!),
    learn: (host: HostState) => void kindOf(host),
    /**
     * Those near enough to the nearest peer that is placed, best first: those with servers of the bundle, and of the others one of a kind,
     * since another one would do neither better nor worse.
     */
    hostsFor(server: number): readonly HostState[] {
      const near = ofServer[server]!.flatMap(({ other, max_hops }) =>
        max_hops === null || !chosen[other] ? [] : [{ level: Math.floor(max_hops / 2), peer: chosen[other] }],
      ).sort((x, y) => x.level - y.level)[0]
      const isBound = near !== undefined && near.level <= network.levels.length
      const { ranks, kinds } = listOf(
        servers[server]!.hosts,
        isBound ? { level: near.level, key: spotOf(near.peer).keys[near.level]! } : undefined,
      )
      const open = [...kinds.values()].flatMap(hosts => hosts.find(({ host }) => !there.has(host)) ?? [])
      const taken = [...there.values()].flatMap(({ host }) => (ranks.has(host.host) ? [host] : []))
      return [...open, ...taken].sort((a, b) => ranks.get(a.host)! - ranks.get(b.host)!)
    },
    /** Takes a host for a server; undefined, and nothing taken, when it does not do. */
    put(server: number, host: HostState): (() => void) | undefined {
      const { request } = servers[server]!
      const present = there.get(host.host)?.requests ?? []
      if (present.length > 0 && !hasRoom(host, [...present, request])) return undefined
      const needs = new Map<string, number>()
      for (const { other, max_hops, bandwidth } of ofServer[server]!) {
        const peer = chosen[other]
        if (!peer) continue
        if (max_hops !== null && hopsBetween(spotOf(host), spotOf(peer)) > max_hops) return undefined
        if (bandwidth === 0) continue
        for (const uplink of uplinksBetween(spotOf(host), spotOf(peer)))
          needs.set(uplink, (needs.get(uplink) ?? 0) + bandwidth)
      }
      for (const [uplink, need] of needs)
        if ((used.get(uplink) ?? 0) + need > (network.free[uplink] ?? 0)) return undefined
      // Where others of its group are counts; the rest of a host's verdict is as it was.
      if (isCounted(request) && passing(request, [host], options).passed.length === 0) return undefined
      const add = (sign: 1 | -1) => {
        for (const [uplink, need] of needs) used.set(uplink, (used.get(uplink) ?? 0) + sign * need)
        count(host, request, sign)
      }
      add(1)
      chosen[server] = host
      there.set(host.host, { host, requests: [...present, request] })
      return () => {
        add(-1)
        chosen[server] = undefined
        if (present.length > 0) there.set(host.host, { host, requests: present })
        else there.delete(host.host)
      }
    },
  }
}

interface Listed {
  /** Which of them is how good, by name. */
  ranks: ReadonlyMap<string, number>
  kinds: ReadonlyMap<string, readonly HostState[]>
}

/** The hosts of a list that share something, or all of them, by their kinds: sorted once. */
function listsBy(spotOf: (host: HostState) => Spot, kindOf: (host: HostState) => string) {
  const known = new Map<readonly HostState[], Map<string, Listed>>()
  const shared = new Map<readonly HostState[], Map<string, HostState[]>[]>()
  const listed = (hosts: readonly HostState[]): Listed => ({
    ranks: new Map(hosts.map(({ host }, rank) => [host, rank])),
    kinds: Map.groupBy(hosts, kindOf),
  })
  return (list: readonly HostState[], at?: { level: number; key: string }): Listed => {
    const lists = known.get(list) ?? new Map<string, Listed>()
    known.set(list, lists)
    const word = at ? `${at.level} ${at.key}` : ''
    const found = lists.get(word)
    if (found) return found
    const byLevel = shared.get(list) ?? []
    shared.set(list, byLevel)
    if (at) byLevel[at.level] ??= Map.groupBy(list, host => spotOf(host).keys[at.level]!)
    const made = listed(at ? (byLevel[at.level]!.get(at.key) ?? []) : list)
    lists.set(word, made)
    return made
  }
}

const sum = <T>(list: readonly T[], of: (one: T) => number) => list.reduce((total, one) => total + of(one), 0)

function hasRoom(host: HostState, requests: readonly ScheduleRequest[]): boolean {
  return (
    host.free_vcpus >= sum(requests, one => one.vcpus) &&
    host.free_ram_mb >= sum(requests, one => one.ram_mb) &&
    host.free_disk_gb >= sum(requests, one => one.disk_gb)
  )
}

const isCounted = ({ group, nearness = [] }: ScheduleRequest) => group !== undefined || nearness.length > 0

/** Members of a group share its counts. */
function count(host: HostState, { group, nearness = [] }: ScheduleRequest, sign: 1 | -1): void {
  const add = (members: Record<string, number>, name: string) => {
    const now = (members[name] ?? 0) + sign
    if (now > 0) members[name] = now
    else delete members[name]
  }
  if (group) add(group.members, host.host)
  for (const { level, members } of nearness) {
    const place = placeOf(host, level)
    if (place !== undefined) add(members, place)
  }
}

/**
 * Hosts with the same word are the same to the bundle, as long as none of it is there: room for more than all of it makes no difference, nor
 * does what is less than a share that all it asks for is made of.
 */
function kindsOf(
  servers: readonly BundleServer[],
  links: readonly BundleLink[],
  network: Network,
  spotOf: (host: HostState) => Spot,
): (host: HostState) => string {
  const requests = servers.map(({ request }) => request)
  const sharesOf = {
    vcpus: sharesBy(requests.map(one => one.vcpus)),
    ram: sharesBy(requests.map(one => one.ram_mb)),
    disk: sharesBy(requests.map(one => one.disk_gb)),
    bandwidth: sharesBy(links.map(one => one.bandwidth)),
  }
  const lists = [...new Set(servers.map(({ hosts }) => hosts))].map(hosts => new Set(hosts.map(({ host }) => host)))
  const nearness = requests.flatMap(request => request.nearness ?? [])
  const levels = [...new Set(nearness.map(({ level }) => level))].filter(level => level !== hostLevel)
  const ofHosts = nearness.filter(({ level }) => level === hostLevel)
  const groups = requests.flatMap(({ group }) => group ?? [])
  const counts = [...new Set([...groups, ...ofHosts].map(({ members }) => members))]
  const known = new Map<string, string>()
  return host => {
    const word = known.get(host.host)
    if (word !== undefined) return word
    const { keys, uplinks } = spotOf(host)
    const level = uplinks.findIndex((uplink, at) => at > 0 && uplink !== undefined)
    const made = JSON.stringify([
      level < 0 ? null : [level, keys[level]],
      sharesOf.vcpus(host.free_vcpus),
      sharesOf.ram(host.free_ram_mb),
      sharesOf.disk(host.free_disk_gb),
      sharesOf.bandwidth(network.free[host.provider] ?? 0),
      lists.map(list => list.has(host.host)),
      levels.map(one => placeOf(host, one)),
      counts.map(members => members[host.host] ?? 0),
    ])
    known.set(host.host, made)
    return made
  }
}
