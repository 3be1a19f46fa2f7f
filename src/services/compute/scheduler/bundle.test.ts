/** Bundles against all that could be tried: an answer keeps all limits, and there is one whenever there is a way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BundleLink, type BundleOptions, type BundleServer, chooseBundle } from './bundle.ts'
import { lackOf } from './bundle-limits.ts'
import { host as hostState, request as scheduleRequest, settings } from './fixtures/snapshot.ts'
import { hopsBetween, type Network, spotAt, uplinksBetween } from './links.ts'
import { placeOf } from './places.ts'
import type { HostState } from './scheduler.ts'

const levels = ['rack', 'row']
const options = (most = 100_000): BundleOptions => ({
  spots: new Map(),
  filters: ['ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter', 'PlaceFilter'],
  settings,
  looks: { left: most },
  breathe: async () => {},
})

/** A repeatable source of numbers. */
function numbers(seed: number) {
  let state = seed
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  return { below, one: <T>(list: readonly T[]): T => list[below(list.length)]! }
}

const at = (name: string, places: Record<string, string>, free: Partial<HostState> = {}) =>
  hostState(name, {
    provider: name,
    aggregate_metadata: Object.fromEntries(Object.entries(places).map(([level, place]) => [`place:${level}`, [place]])),
    ...free,
  })

interface Case {
  servers: BundleServer[]
  links: BundleLink[]
  network: Network
}

function randomCase(seed: number): Case {
  const { below, one } = numbers(seed)
  const free: Record<string, number> = {}
  const hosts = Array.from({ length: 2 + below(5) }, (_, i) => {
    const places: Record<string, string> = {}
    if (below(8) > 0) places.rack = one(['r1', 'r2', 'r3'])
    if (below(4) > 0) places.row = one(['w1', 'w2'])
    if (below(8) > 0) free[`h${i}`] = one([10, 20, 40, 100])
    return at(`h${i}`, places, { free_vcpus: 1 + below(3), free_ram_mb: 4096, free_disk_gb: 100 })
  })
  for (const uplink of ['rack=r1', 'rack=r2', 'rack=r3', 'row=w1', 'row=w2'])
    if (below(6) > 0) free[uplink] = one([10, 30, 60])
  const group = { policy: 'anti-affinity' as const, max_per_host: 1, members: {} }
  const servers = Array.from({ length: 2 + below(3) }, () => {
    const request = scheduleRequest({ vcpus: 1, ram_mb: 128, disk_gb: 1, ...(below(3) === 0 && { group }) })
    return { request, hosts: hosts.filter(() => below(5) > 0) }
  })
  const links = Array.from({ length: 1 + below(4) }, (): BundleLink => {
    const a = below(servers.length)
    const b = (a + 1 + below(servers.length - 1)) % servers.length
    return { ends: [a, b], max_hops: one([null, 0, 1, 2, 2, 3, 4]), bandwidth: one([0, 0, 10, 20]) }
  })
  return { servers, links, network: { levels, free } }
}

/** What of the limits a choice breaks. */
function broken({ servers, links, network }: Case, hosts: readonly HostState[]): string[] {
  const found: string[] = []
  const spots = hosts.map(host => spotAt(host, level => placeOf(host, level), network.levels))
  const used: Record<string, number> = {}
  for (const { ends, max_hops, bandwidth } of links) {
    const [a, b] = [spots[ends[0]]!, spots[ends[1]]!]
    if (max_hops !== null && hopsBetween(a, b) > max_hops) found.push(`hops ${ends}`)
    if (bandwidth > 0) for (const uplink of uplinksBetween(a, b)) used[uplink] = (used[uplink] ?? 0) + bandwidth
  }
  for (const [uplink, need] of Object.entries(used)) if (need > (network.free[uplink] ?? 0)) found.push(uplink)
  for (const [i, host] of hosts.entries()) {
    const here = servers.filter((_, other) => hosts[other] === host)
    if (!servers[i]!.hosts.includes(host)) found.push(`host of ${i}`)
    if (here.length > 1 && here.reduce((total, { request }) => total + request.vcpus, 0) > host.free_vcpus)
      found.push('room')
    if (here.filter(({ request }) => request.group).length > 1) found.push('group')
  }
  return found
}

function anyWay(all: Case, hosts: HostState[] = []): boolean {
  const server = all.servers[hosts.length]
  if (!server) return broken(all, hosts).length === 0
  return server.hosts.some(host => anyWay(all, [...hosts, host]))
}

test('in random networks the answer keeps all limits, and is found whenever trying everything finds one', async () => {
  let possible = 0
  for (let seed = 1; seed <= 500; seed++) {
    const all = randomCase(seed)
    const found = await chooseBundle(all.servers, all.links, all.network, options())
    assert.notEqual(found, 'unknown')
    const is = anyWay(all)
    assert.equal(typeof found === 'object', is, `seed ${seed}`)
    if (typeof found !== 'object') continue
    possible++
    assert.deepEqual(broken(all, found.hosts), [], `seed ${seed}`)
  }
  assert.ok(possible > 100 && possible < 450, `${possible} of the cases are possible`)
})

test('what is said to be possible instead is, and nothing better', async () => {
  let told = 0
  for (let seed = 1; seed <= 300; seed++) {
    const all = randomCase(seed)
    if (typeof (await chooseBundle(all.servers, all.links, all.network, options())) === 'object') continue
    const lack = await lackOf(all.servers, all.links, all.network, options())
    const eased = (change: (link: BundleLink) => Partial<BundleLink>) =>
      anyWay({ ...all, links: all.links.map(link => ({ ...link, ...change(link) })) })
    const capped = (best: number) => eased(({ bandwidth }) => ({ bandwidth: Math.min(bandwidth, best) }))
    const within = (best: number) =>
      eased(({ max_hops }) => ({ bandwidth: 0, max_hops: max_hops === null ? null : Math.max(max_hops, best) }))
    told++
    if (lack.limit === 'bandwidth') assert.deepEqual([capped(lack.best), capped(lack.best + 1)], [true, false])
    else if (lack.limit === 'hops') assert.deepEqual([within(lack.best), within(lack.best - 2)], [true, false])
    else assert.deepEqual([lack.limit, eased(() => ({ bandwidth: 0, max_hops: null }))], ['room', false])
  }
  assert.ok(told > 50)
})

/** Racks of forty hosts, ten racks a row. */
function large(hosts: number, free: (i: number) => Partial<HostState>) {
  const spots = Array.from({ length: hosts }, (_, i) =>
    at(`h${i}`, { rack: `r${Math.floor(i / 40)}`, row: `w${Math.floor(i / 400)}` }, { ...free(i) }),
  )
  return { spots, free: Object.fromEntries(spots.map(({ host }) => [host, 100])) }
}

const alike = (count: number, hosts: readonly HostState[]): BundleServer[] => {
  const request = scheduleRequest({ vcpus: 1, ram_mb: 1024, disk_gb: 1 })
  return Array.from({ length: count }, () => ({ request, hosts }))
}

const mesh = (count: number, limits: Omit<BundleLink, 'ends'>): BundleLink[] =>
  Array.from({ length: count }, (_, a) =>
    Array.from({ length: count - a - 1 }, (_, i): BundleLink => ({ ends: [a, a + 1 + i], ...limits })),
  ).flat()

test('in ten thousand hosts a bundle is found at once, and so is that there is no place for it', async () => {
  const { spots, free } = large(10_000, () => ({ free_vcpus: 1, free_ram_mb: 2048, free_disk_gb: 10 }))
  const network = { levels, free }
  const links = mesh(3, { max_hops: 2, bandwidth: 50 })
  const found = await chooseBundle(alike(3, spots), links, network, options(10_100))
  assert.ok(typeof found === 'object')
  assert.equal(new Set(found.hosts.map(host => host.aggregate_metadata['place:rack']![0])).size, 1)
  const group = { policy: 'anti-affinity' as const, max_per_host: 1, members: {} }
  const apart = alike(3, large(10_000, i => ({ free_vcpus: 1 + (i % 7), free_ram_mb: 2048 + 10 * (i % 97) })).spots)
  for (const server of apart) server.request = { ...server.request, group }
  const more = mesh(3, { max_hops: 2, bandwidth: 60 })
  assert.equal(await chooseBundle(apart, more, network, options()), 'none')
  assert.deepEqual(await lackOf(apart, more, network, options()), { limit: 'bandwidth', best: 50 })
  // Three links with a host of its own would need 150 of the 100 that it has.
  const four = await chooseBundle(alike(4, spots), mesh(4, { max_hops: 2, bandwidth: 50 }), network, options(100_000))
  assert.equal(four, 'none')
})

test('a search that would take too long ends, gives others their turns meanwhile, and says so', async () => {
  // Servers of many sizes, which no two hosts have the same room for.
  const { spots, free } = large(400, i => ({ free_vcpus: 40 + (i % 40), free_ram_mb: 102_400, free_disk_gb: 100 }))
  let turns = 0
  const breathe = async () => void turns++
  const bounded = () => ({ ...options(20_000), breathe })
  const servers = Array.from({ length: 40 }, (_, i) => ({
    request: scheduleRequest({ vcpus: 31 + i, ram_mb: 51_201, disk_gb: 1 }),
    hosts: spots,
  }))
  const links = servers.slice(1).map((_, at): BundleLink => ({ ends: [at, at + 1], max_hops: 2, bandwidth: 70 }))
  assert.equal(await chooseBundle(servers, links, { levels, free }, bounded()), 'unknown')
  assert.ok(turns > 30, `${turns} turns`)
  // Why there is none is asked of many searches, which together may take no longer.
  turns = 0
  assert.deepEqual(await lackOf(servers, links, { levels, free }, bounded()), { limit: 'tries' })
  assert.ok(turns < 100, `${turns} turns`)
})
