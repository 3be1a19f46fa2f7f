/** What links hold of the network: claimed, moved and given back with the rooms of the servers at their ends. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import type { Offer } from '../../placement/contract.ts'
import { computeConfig } from '../config.ts'
import { hosts } from '../hosts/store.ts'
import { placesOf } from '../places/place.ts'
import { hopsBetween, type LinkWish, type Network, type Spot, spotAt, uplinksBetween } from '../scheduler/links.ts'
import { bundles, holdHosts, type LinkEndRow, type LinkRow, linkEnds, links, linksOfServer } from './store.ts'

/** What of an uplink there is, in Mbit/s: an inventory of a host's resource provider, or of one that is named `rack=r1`. */
export const uplinkClass = 'CUSTOM_UPLINK_MBPS'

const levelsOf = (ctx: Ctx) => ctx.config.of(computeConfig).scheduler.network_levels

export const networkNow = async (ctx: Ctx): Promise<Network> =>
  networkOf(ctx, await ctx.services.placement.offersOf(ctx, uplinkClass))

function networkOf(ctx: Ctx, offers: readonly Offer[]): Network {
  const free: Record<string, number> = {}
  for (const { uuid, name, capacity, used } of offers) {
    free[uuid] = capacity - used
    if (name.includes('=')) free[name] = capacity - used
  }
  return { levels: levelsOf(ctx), free }
}

/** Where hosts are in the network, by name. */
async function spotsOf(ctx: Ctx, names: readonly string[]): Promise<Map<string, Spot>> {
  if (names.length === 0) return new Map()
  const wanted = [...new Set(names)]
  const found = await hosts.pick(ctx.db, ['name', 'provider_uuid'], { name: wanted })
  const providers = new Map(found.map(row => [row.name, row.provider_uuid]))
  const places = await placesOf(ctx, wanted)
  const spotOf = (host: string) =>
    spotAt({ host, provider: providers.get(host) ?? host }, level => places.get(host)?.get(level), levelsOf(ctx))
  return new Map(wanted.map(host => [host, spotOf(host)]))
}

/** What a server's links ask of the host that it gets; undefined for one that has none. `elsewhere`: servers that count as being on other hosts. */
export async function linkWishes(
  ctx: Ctx,
  bundle_id: string,
  server: string,
  elsewhere: readonly { server: { id: string }; host: string }[] = [],
): Promise<{ links: LinkWish[]; network: Network } | undefined> {
  const own = await linksOfServer(ctx, bundle_id, server)
  if (own.length === 0) return undefined
  const moved = new Map(elsewhere.map(one => [one.server.id, one.host]))
  const ends = (await linkEnds.list(ctx.db, { link_id: own.map(({ id }) => id) })).map(end => ({
    ...end,
    host: moved.get(end.server_id) ?? end.host,
  }))
  const spots = await spotsOf(
    ctx,
    ends.map(({ host }) => host),
  )
  const offers = await ctx.services.placement.offersOf(ctx, uplinkClass)
  const names = new Map(offers.map(({ uuid, name }) => [uuid, name]))
  const held = await ctx.services.placement.allocationsOfMany(
    ctx,
    own.map(({ id }) => id),
  )
  const wishes: LinkWish[] = []
  for (const { id, server_a, server_b, max_hops, bandwidth } of own) {
    const peer = server_a === server ? server_b : server_a
    const there = ends.filter(end => end.link_id === id && end.server_id === peer)
    const uplinks = Object.keys(held.get(id) ?? {}).flatMap(uuid => [uuid, names.get(uuid) ?? uuid])
    wishes.push({ peer, max_hops, bandwidth, held: uplinks, spots: there.map(({ host }) => spots.get(host)!) })
  }
  return { links: wishes, network: networkOf(ctx, offers) }
}

/** Hops between the ends of links, by link; none where an end is nowhere. */
export async function hopsOf(ctx: Ctx, list: readonly LinkRow[]): Promise<Map<string, number>> {
  const pairsOf = await pairsBetween(ctx, list)
  const found = new Map<string, number>()
  for (const link of list) {
    const pairs = pairsOf(link)
    if (pairs.length > 0) found.set(link.id, Math.max(...pairs.map(([a, b]) => hopsBetween(a, b))))
  }
  return found
}

/** Of each of the links, where one end is and where the other: in several ways while a server moves, in none while an end is nowhere. */
async function pairsBetween(ctx: Ctx, all: readonly LinkRow[]): Promise<(link: LinkRow) => [Spot, Spot][]> {
  const ends = await linkEnds.list(ctx.db, { link_id: all.map(({ id }) => id) })
  const spots = await spotsOf(
    ctx,
    ends.map(({ host }) => host),
  )
  const byLink = Map.groupBy(ends, end => end.link_id)
  return ({ id, server_a, server_b }) => {
    const of = (server: string) =>
      (byLink.get(id) ?? []).flatMap(({ server_id, host }) => (server_id === server ? spots.get(host)! : []))
    return of(server_a).flatMap(a => of(server_b).map((b): [Spot, Spot] => [a, b]))
  }
}

/** A server has room on a host: its links reach there from now on. Throws `Conflict` when an uplink on the way lacks what they need. */
export async function connect(ctx: Ctx, bundle_id: string, server_id: string, host: string): Promise<void> {
  const own = await linksOfServer(ctx, bundle_id, server_id)
  await linkEnds.remove(ctx.db, { consumer: server_id })
  await linkEnds.insertMany(
    ctx.db,
    own.map(({ id }) => ({ link_id: id, server_id, consumer: server_id, host })),
  )
  await settle(ctx, own, { grows: true })
}

/** Where a consumer has links; then hosts are held. */
export async function endsOf(ctx: Ctx, consumer: string): Promise<LinkEndRow[]> {
  const ends = await linkEnds.list(ctx.db, { consumer })
  if (ends.length > 0) await holdHosts(ctx)
  return ends
}

/** What a consumer had of links ends with its room. */
export async function disconnect(ctx: Ctx, consumer: string, ends: readonly LinkEndRow[]): Promise<void> {
  if (ends.length === 0) return
  await linkEnds.remove(ctx.db, { consumer })
  const ids = ends.map(({ link_id }) => link_id)
  await settle(ctx, await links.list(ctx.db, { id: ids }), { grows: false })
}

export async function passEnds(ctx: Ctx, from: string, to: string): Promise<void> {
  await linkEnds.update(ctx.db, { consumer: from }, { consumer: to })
}

/** Links of one bundle have their bandwidth wherever their ends are now, once on each uplink. What only ends may never fail: it claims nothing. */
async function settle(ctx: Ctx, all: readonly LinkRow[], { grows }: { grows: boolean }): Promise<void> {
  const asking = all.filter(({ bandwidth }) => bandwidth > 0)
  if (asking.length === 0) return
  const { placement } = ctx.services
  const ids = asking.map(({ id }) => id)
  const held = await placement.allocationsOfMany(ctx, ids)
  if (held.size === 0 && !grows) return
  const pairsOf = await pairsBetween(ctx, asking)
  const passed = asking.map(link => ({ link, uplinks: pairsOf(link).flatMap(([a, b]) => uplinksBetween(a, b)) }))
  const providers = await providersOf(ctx, [...new Set(passed.flatMap(({ uplinks }) => uplinks))])
  const unknown = [...providers].find(([, uuid]) => uuid === undefined)
  if (grows && unknown) throw new Conflict(`Nothing is known of the uplink of ${unknown[0]}.`)
  const bundle = await bundles.find(ctx.db, { id: asking[0]!.bundle_id })
  if (!bundle) return
  const { project_id, user_id } = bundle
  const claims = passed.flatMap(({ link: { id, bandwidth }, uplinks }) => {
    const before = held.get(id) ?? {}
    const now = new Set(uplinks.flatMap(uplink => providers.get(uplink) ?? []).filter(uuid => grows || uuid in before))
    if (now.symmetricDifference(new Set(Object.keys(before))).size === 0) return []
    const allocations = Object.fromEntries([...now].map(uuid => [uuid, { [uplinkClass]: bandwidth }]))
    return [{ consumer: { id, project_id, user_id, type: 'LINK' }, allocations }]
  })
  if (claims.length > 0) await placement.claimMany(ctx, claims)
}

/** The resource providers of uplinks, as far as there are some. */
async function providersOf(ctx: Ctx, uplinks: readonly string[]): Promise<Map<string, string | undefined>> {
  const ofPlaces = uplinks.filter(uplink => uplink.includes('='))
  const offers = ofPlaces.length === 0 ? [] : await ctx.services.placement.offersOf(ctx, uplinkClass, ofPlaces)
  const byName = new Map(offers.map(({ uuid, name }) => [name, uuid]))
  return new Map(uplinks.map(uplink => [uplink, uplink.includes('=') ? byName.get(uplink) : uplink]))
}
