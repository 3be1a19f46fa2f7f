/** Hosts for the servers of a bundle, chosen as one and claimed in the caller's transaction; or how to find out which of its limits stands in the way. */
import type { Ctx } from '#kernel/context.ts'
import { nextTurn } from '#kernel/turns.ts'
import type { Candidate } from '../../../placement/contract.ts'
import { tellChoice } from '../../choice-events.ts'
import { hostsForScheduling, recheck } from '../../hosts/steps.ts'
import { networkNow } from '../../links/steps.ts'
import { holdHosts } from '../../links/store.ts'
import { releaseRoom } from '../../rooms/steps.ts'
import { type BundleLink, type BundleServer, chooseBundle } from '../../scheduler/bundle.ts'
import { type Lack, lackOf } from '../../scheduler/bundle-limits.ts'
import type { Deciding } from '../../scheduler/decide.ts'
import { type Network, type Spot, uplinkOfPlace } from '../../scheduler/links.ts'
import { placePrefix } from '../../scheduler/places.ts'
import { type HostState, passing, type Refused } from '../../scheduler/scheduler.ts'
import { inOrder } from '../../scheduler/weighers.ts'
import { holdGroup } from '../../server-groups/store.ts'
import { type Explanation, explanationFor, mostTold } from '../explanation.ts'
import { machineWishes } from '../machine.ts'
import {
  aroundHosts,
  candidatesOf,
  claimFirst,
  consumerOf,
  type PlacingRequest,
  scheduleRequest,
  schedulerOptions,
  type Wish,
} from '../placing.ts'
import { candidateRequest } from '../resources.ts'

/** A server of a bundle. */
export interface Member {
  id: string
  request: PlacingRequest
}

/** Why a bundle is refused: for one of its servers alone there is no host, or for all of them as they are linked. */
export type Refusal = { member: Member; explanation: Explanation } | Linked

/** To find out which limit it is takes many searches: they are for the time when no transaction is open that others wait for. */
export interface Linked {
  lack(): Promise<Lack>
  explanation(ctx: Ctx, lack: Lack): Promise<Explanation>
}

export type BundlePlacing = { hosts: HostState[] } | Refusal

/** How many times a host may be looked at to find a place, and again to find out why there is none: some tenths of a second. */
const mostLooks = 100_000
/** How often hosts are chosen anew because the room of some has just gone to others, or they turn out to be down. */
const mostTries = 8

/** Members that ask for the same. */
interface Kind {
  wish: Wish
  candidates: ReadonlyMap<string, Candidate>
  known: HostState[]
  /** Of those that are known: which of them it may have, best first, and why not the others. */
  hosts: HostState[]
  refused: Refused[]
  explain: (ctx: Ctx, refused: Refused[]) => Promise<Explanation>
}

/** Claims room for all members and bandwidth for all links, or nothing. In a transaction. */
export async function placeBundle(
  ctx: Ctx,
  members: readonly Member[],
  links: readonly BundleLink[],
): Promise<BundlePlacing> {
  await holdHosts(ctx)
  const groups = new Set(members.flatMap(({ request }) => request.spec.group_id ?? []))
  // In one order, so that nobody waits for another in a circle.
  for (const group of [...groups].sort()) await holdGroup(ctx, group)
  for (const { id, request } of members) await tellChoice(ctx, 'start', request, [id])
  const options = schedulerOptions(ctx)
  const kinds = await kindsOf(ctx, members, options)
  const search = { ...options, looks: { left: mostLooks }, breathe: nextTurn, spots: new Map<string, Spot>() }
  const unusable = new Set<string>()
  let tries = 0
  let isSure = false
  for (;;) {
    const network = await networkNow(ctx)
    const servers = members.map((member, at): BundleServer => {
      const { wish, hosts } = kinds[at]!
      const left = hosts.some(({ host }) => unusable.has(`${member.id} ${host}`))
        ? hosts.filter(({ host }) => !unusable.has(`${member.id} ${host}`))
        : hosts
      return { request: wish, hosts: left }
    })
    const lonely = kinds.findIndex(({ hosts }) => hosts.length === 0)
    const found = lonely < 0 ? await chooseBundle(servers, links, network, search) : 'none'
    if (typeof found === 'object') {
      const gone = await claimAll(ctx, members, kinds, found.hosts)
      if (gone === undefined) {
        for (const { id, request } of members) await tellChoice(ctx, 'end', request, [id])
        return found
      }
      unusable.add(gone)
      if (++tries < mostTries) continue
    }
    if (!isSure) {
      // What is remembered of hosts does not say that they are up: only now is it worth asking all of them.
      isSure = true
      for (const kind of new Set(kinds)) {
        await recheck(ctx, kind.known)
        Object.assign(kind, verdicts(kind.wish, kind.known, options))
      }
      continue
    }
    if (lonely >= 0)
      return { member: members[lonely]!, explanation: await kinds[lonely]!.explain(ctx, kinds[lonely]!.refused) }
    return {
      lack: async () =>
        found === 'none'
          ? lackOf(servers, links, network, { ...search, looks: { left: mostLooks } })
          : { limit: 'tries' },
      explanation: (ctx, lack) => explainLack(ctx, kinds, network, lack),
    }
  }
}

function verdicts(wish: Wish, known: readonly HostState[], options: Deciding): Pick<Kind, 'hosts' | 'refused'> {
  const { passed, refused } = passing(wish, known, options)
  return { hosts: inOrder(passed, wish, options), refused }
}

/** The kind of each member. Members of a group share its counts. */
async function kindsOf(ctx: Ctx, members: readonly Member[], options: Deciding): Promise<Kind[]> {
  const ids = members.map(({ id }) => id)
  const kinds = new Map<string, Kind>()
  const groups = new Map<string, Wish>()
  const found: Kind[] = []
  for (const { request } of members) {
    const { bundle_id: _, ...spec } = request.spec
    const word = JSON.stringify([request.flavor, request.image, spec])
    const kind = kinds.get(word) ?? (await kindOf(ctx, { ...request, spec }, ids, options))
    kinds.set(word, kind)
    if (spec.group_id !== null) {
      const { group, nearness } = groups.get(spec.group_id) ?? kind.wish
      groups.set(spec.group_id, kind.wish)
      Object.assign(kind.wish, { group, nearness })
    }
    found.push(kind)
  }
  return found
}

async function kindOf(ctx: Ctx, request: PlacingRequest, ids: readonly string[], options: Deciding): Promise<Kind> {
  const wishes = machineWishes(ctx, request.flavor, request.image)
  const asked = await candidateRequest(ctx, request, wishes)
  const wish = await scheduleRequest(ctx, request, wishes, ids)
  const candidates = asked ? await candidatesOf(ctx, asked, Number.POSITIVE_INFINITY) : []
  const known = await hostsForScheduling(ctx, candidates, await aroundHosts(ctx, request, wish, options))
  return {
    wish,
    known,
    candidates: new Map(candidates.map(candidate => [candidate.root, candidate])),
    ...verdicts(wish, known, options),
    explain: (ctx, refused) => explanationFor(ctx, request, asked, refused),
  }
}

/** Claims for all members, or says which of them could not have which host. */
async function claimAll(
  ctx: Ctx,
  members: readonly Member[],
  kinds: readonly Kind[],
  hosts: readonly HostState[],
): Promise<string | undefined> {
  for (const [at, { id, request }] of members.entries()) {
    const { wish, candidates } = kinds[at]!
    const host = hosts[at]!
    const [sure] = passing(wish, await recheck(ctx, [host]), schedulerOptions(ctx)).passed
    const linked = { ...wish, bundle_id: request.spec.bundle_id }
    const candidate = candidates.get(host.provider)!
    if (sure && (await claimFirst(ctx, consumerOf(request, id), linked, [host], [candidate], []))) continue
    for (const before of members.slice(0, at)) await releaseRoom(ctx, before.id)
    return `${id} ${host.host}`
  }
  return undefined
}

/** Of each host why it was refused, or what of the network it has. */
async function explainLack(ctx: Ctx, kinds: readonly Kind[], { free }: Network, lack: Lack): Promise<Explanation> {
  const told = new Map<string, Refused>()
  for (const { hosts, refused } of new Set(kinds)) {
    for (const one of refused) told.set(one.host, one)
    for (const { host, provider, aggregate_metadata } of hosts.slice(0, mostTold)) {
      const places = Object.entries(aggregate_metadata).flatMap(([key, [place]]) =>
        key.startsWith(placePrefix) ? [uplinkOfPlace(key.slice(placePrefix.length), place!)] : [],
      )
      const uplink = (name: string, key: string) => `${name} with ${free[key] ?? 'an unknown number of'} Mbit/s free`
      const had = [uplink('an uplink', provider), ...places.map(place => uplink(place, place))].join(', ')
      told.set(host, { host, filter: 'LinkFilter', asked: lackText(lack), had })
    }
  }
  return kinds[0]!.explain(ctx, [...told.values()])
}

/** What of a bundle cannot be had, for its user. */
export function lackText(lack: Lack): string {
  switch (lack.limit) {
    case 'room':
      return 'there is no room for all of its servers at once'
    case 'hops':
      return `its servers can be within ${lack.best} hops at the nearest, as far as max_hops asks for less`
    case 'bandwidth':
      return `each of its links can have ${lack.best} Mbit/s of bandwidth at the most, as far as they ask for more`
    case 'tries':
      return 'no place was found for it in the time that a search may take: ask for fewer servers or wider limits'
  }
}
