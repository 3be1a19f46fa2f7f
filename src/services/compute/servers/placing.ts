/** Chooses a host for each server of a request and claims its room there; or says why no host would do. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict, Unavailable } from '#kernel/errors.ts'
import type { Candidate, CandidateRequest, ConsumerSpec } from '../../placement/contract.ts'
import { tellChoice } from '../choice-events.ts'
import { computeConfig } from '../config.ts'
import { freshSignals } from '../host-signals/store.ts'
import { type Around, hostsForScheduling, recheck } from '../hosts/steps.ts'
import { linkWishes } from '../links/steps.ts'
import { holdHosts } from '../links/store.ts'
import { placeSignals } from '../places/store.ts'
import { claimRoom, releaseRoom } from '../rooms/steps.ts'
import type { Deciding } from '../scheduler/decide.ts'
import { type Extensions, noExtensions } from '../scheduler/extensions.ts'
import { loadFilters } from '../scheduler/filters.ts'
import { queryOf } from '../scheduler/json-filter.ts'
import {
  type HostState,
  type Refused,
  type Schedule,
  type ScheduleRequest,
  schedule,
  take,
} from '../scheduler/scheduler.ts'
import { asksForSignals } from '../scheduler/signals-filter.ts'
import { loadWeights } from '../scheduler/weighers.ts'
import { schedulerParts, schedulerSettings } from '../scheduler-modules.ts'
import type { Group } from '../server-groups/server-group.ts'
import { groupOf, holdGroup } from '../server-groups/store.ts'
import { type Explanation, explanationFor } from './explanation.ts'
import { type MachineWishes, machineWishes } from './machine.ts'
import { nearnessFor } from './nearness.ts'
import { drivenChoices, type Patience } from './placing-driven.ts'
import { areOpenTo, claimTogether } from './placing-together.ts'
import { candidateRequest, claimedAmounts } from './resources.ts'
import type { RequestSpec, ServerFlavor, ServerImage } from './server.ts'
import { type Elsewhere, hostsOfServers } from './store.ts'
import { loadsOfHosts } from './store-loads.ts'

export interface PlacingRequest {
  flavor: ServerFlavor
  image: ServerImage | null
  spec: RequestSpec
  /** Hosts that have been tried in vain. */
  ignore: string[]
  /** Hosts that cannot take a server which moves, with the reason. */
  unfit?: Record<string, string>
  /** The named host is taken whatever the filters say. */
  forced?: boolean
  /** Servers that are looked at as if they were on other hosts than they are. */
  elsewhere?: readonly Elsewhere[]
  project_id: string
  user_id: string
  /** Of those who can wait for a scheduler that is away; else that is said at once. */
  patience?: Patience
}

export type Wish = ScheduleRequest & MachineWishes & Pick<RequestSpec, 'bundle_id'>

/** `away`: the scheduler was not there to choose. */
export type Placing = { hosts: HostState[] } | { explanation: Explanation; away?: true }

/** Nobody is there to choose: who can wait tries again later. */
export class SchedulerAway extends Unavailable {
  constructor() {
    super('The scheduler does not answer at the moment. Please try again later.')
  }
}

/** How many hosts are tried when the room of the best ones is taken at the same moment. */
const alternates = 8

/** Claims room for all of the servers, or for none. In a transaction. */
export async function place(ctx: Ctx, request: PlacingRequest, serverIds: readonly string[]): Promise<Placing> {
  await tellChoice(ctx, 'start', request, serverIds)
  const placing = await choose(ctx, request, serverIds).catch(async (error): Promise<Placing> => {
    if (!(error instanceof SchedulerAway)) throw error
    return { explanation: await explanationFor(ctx, request, undefined, []), away: true }
  })
  if ('hosts' in placing) await tellChoice(ctx, 'end', request, serverIds)
  return placing
}

/** The host that a server would get, as far as that can be told without claiming it. Only reads. */
export async function wouldGet(ctx: Ctx, request: PlacingRequest, id: string): Promise<HostState | undefined> {
  const wishes = machineWishes(ctx, request.flavor, request.image)
  const asked = await candidateRequest(ctx, request, wishes)
  const options = schedulerOptions(ctx, request.forced)
  const wish = await scheduleRequest(ctx, request, wishes, [id])
  const candidates = asked ? await candidatesOf(ctx, asked) : []
  const hosts = await hostsForScheduling(ctx, candidates, await aroundHosts(ctx, request, wish, options))
  const { best } = await choicesOf(ctx, wish, options)(roomBeside(hosts, wish, request.elsewhere ?? []), 1, 1)
  return best[0]
}

/** Of hosts that get servers which placement does not know of: those that still have the room, with what is left of it. */
function roomBeside(hosts: HostState[], { vcpus, ram_mb, disk_gb }: Wish, elsewhere: readonly Elsewhere[]) {
  const coming = Map.groupBy(elsewhere, one => one.host)
  return hosts.filter(state => {
    const servers = coming.get(state.host) ?? []
    for (const { server } of servers) {
      state.free_vcpus -= server.vcpus
      state.free_ram_mb -= server.memory_mb
      state.free_disk_gb -= server.disk_gb
      state.servers++
    }
    return (
      servers.length === 0 ||
      (state.free_vcpus >= vcpus && state.free_ram_mb >= ram_mb && state.free_disk_gb >= disk_gb)
    )
  })
}

async function choose(ctx: Ctx, request: PlacingRequest, serverIds: readonly string[]): Promise<Placing> {
  // Links may reach to other hosts.
  if (serverIds.length > 1 || request.spec.bundle_id !== undefined) await holdHosts(ctx)
  if (request.spec.group_id !== null) await holdGroup(ctx, request.spec.group_id)
  const wishes = machineWishes(ctx, request.flavor, request.image)
  const asked = await candidateRequest(ctx, request, wishes)
  const options = schedulerOptions(ctx, request.forced)
  // Places that turned out to be too small, by level.
  const shut: Record<string, string[]> = {}
  for (;;) {
    const wish = await scheduleRequest(ctx, request, wishes, serverIds)
    const nearness = (wish.nearness ?? []).map(near => ({ ...near, shut: shut[near.level] ?? [] }))
    const open = nearness.find(({ kind, hard, members }) => kind === 'together' && hard && isEmpty(members))
    const placing = await claimAll(ctx, { request, asked, options, wish: { ...wish, nearness } }, serverIds)
    if ('hosts' in placing) return placing
    const tried = open && Object.keys(open.members)[0]
    if (open === undefined || tried === undefined) return placing
    // The first of them chose a place that has no room for all: another one may.
    shut[open.level] = [...(shut[open.level] ?? []), tried]
  }
}

export const consumerOf = ({ project_id, user_id }: PlacingRequest, id: string): ConsumerSpec => ({
  ...{ id, project_id, user_id, type: 'INSTANCE' },
})

const isEmpty = (record: object) => Object.keys(record).length === 0

interface Choice {
  request: PlacingRequest
  asked: CandidateRequest | undefined
  options: Deciding
  wish: Wish
}

async function claimAll(
  ctx: Ctx,
  { request, asked, options, wish }: Choice,
  serverIds: readonly string[],
): Promise<Placing> {
  const candidates = asked ? await candidatesOf(ctx, asked) : []
  const all = await hostsForScheduling(ctx, candidates, await aroundHosts(ctx, request, wish, options))
  let hosts = all
  const choices = choicesOf(ctx, wish, options, request.patience)
  const consumers = serverIds.map(id => consumerOf(request, id))
  const together = await claimTogether(ctx, { options, wish, hosts: all, candidates }, consumers)
  if (together) return { hosts: together }
  const chosen: HostState[] = []
  for (const [at, consumer] of consumers.entries()) {
    const lacking: Refused[] = []
    for (;;) {
      // The room of the best one is seldom taken: others are made sure of when it is.
      const atFirst = hosts === all ? 1 : alternates
      const { best, refused, away } = await choices(hosts, consumers.length - at, atFirst)
      const host = await claimFirst(ctx, consumer, wish, best, candidates, lacking)
      if (host) {
        take(host, wish)
        chosen.push(host)
        break
      }
      if (best.length > 0) {
        // The room of all of them is taken: those after them are tried.
        hosts = hosts.filter(one => !best.includes(one))
        continue
      }
      // Before the others' room is given back: it is what was lacking.
      const explanation = await explanationFor(ctx, request, asked, [...refused, ...lacking])
      for (const id of serverIds.slice(0, chosen.length)) await releaseRoom(ctx, id)
      return { explanation, ...(away && { away }) }
    }
  }
  return { hosts: chosen }
}

/** The best hosts for one server after another, made sure of: what is remembered of a host does not say that it is up. */
function choicesOf(ctx: Ctx, wish: ScheduleRequest, options: Deciding, patience?: Patience) {
  const { driver } = options
  if (driver) return drivenChoices(ctx, { wish, options: { ...options, driver }, patience })
  return async (hosts: HostState[], _count: number, atFirst: number): Promise<Schedule> => {
    for (let keep = atFirst; keep < hosts.length; keep *= alternates) {
      const { best } = schedule(wish, hosts, { ...options, keep })
      if (best.length === 0) break
      const sure = schedule(wish, await recheck(ctx, best), options)
      if (sure.best.length > 0) return sure
    }
    // When none of them will do, all are looked at.
    return schedule(wish, await recheck(ctx, hosts), options)
  }
}

export const candidatesOf = (
  ctx: Ctx,
  asked: CandidateRequest,
  limit = ctx.config.of(computeConfig).scheduler.max_candidates,
): Promise<Candidate[]> => ctx.services.placement.candidates(ctx, { ...asked, limit })

export async function claimFirst(
  ctx: Ctx,
  consumer: ConsumerSpec,
  wish: Wish,
  best: HostState[],
  candidates: readonly Candidate[],
  refused: Refused[],
): Promise<HostState | undefined> {
  for (const host of best) {
    try {
      const { allocations } = candidates.find(candidate => candidate.root === host.provider)!
      const refusal = await claimRoom(ctx, consumer, host, wish, claimedAmounts(allocations, wish))
      if (refusal) refused.push({ host: host.host, filter: 'claim', asked: refusal.asked, had: refusal.lacks })
      else if (await areOpenTo(ctx, [host], consumer.project_id)) return host
      else await releaseRoom(ctx, consumer.id)
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
  return undefined
}

/** A host that was named is taken whatever the filters say, and without a choice. */
export function schedulerOptions(ctx: Ctx, forced = false): Deciding {
  const options = { ...schedulerSettings(ctx.config, schedulerParts(ctx), ctx.ids.random), keep: alternates }
  return forced ? { ...options, filters: [], driver: undefined } : options
}

/** Read only when it matters: the servers and signals of ten thousand hosts are many. */
export async function aroundHosts(
  ctx: Ctx,
  { flavor, spec, project_id }: PlacingRequest,
  { topology, devices }: MachineWishes,
  { filters, settings, weights, extensions, driver }: Deciding,
): Promise<Around> {
  // Nobody knows what those of others look at.
  const isOpen = driver !== undefined || hasAny(extensions)
  const loadMatters =
    isOpen || loadWeights.some(name => weights[name] !== 0) || loadFilters.some(name => filters.includes(name))
  const isAskedFor = settings.wanted_signals.length > 0 || asksForSignals(flavor.extra_specs)
  const signalsMatter =
    isOpen ||
    (isAskedFor && filters.includes('HostSignalsFilter')) ||
    (spec.scheduler_hints.query !== undefined && filters.includes('JsonFilter'))
  return {
    ...(loadMatters && { loads: await loadsOfHosts(ctx, project_id) }),
    ...(signalsMatter && { signals: await freshSignals(ctx), placeSignals: await placeSignals.list(ctx.db) }),
    numa: topology !== undefined || devices.length > 0,
  }
}

const hasAny = ({ filters, weighers }: Extensions = noExtensions) =>
  Object.keys(filters).length + Object.keys(weighers).length > 0

export async function scheduleRequest(
  ctx: Ctx,
  { flavor, image, spec, ignore, unfit, elsewhere, project_id }: PlacingRequest,
  wishes: MachineWishes,
  serverIds: readonly string[],
): Promise<Wish> {
  const { same_host, different_host, query, build_near_host_ip, cidr } = spec.scheduler_hints
  const [text, address] = [query?.[0], build_near_host_ip?.[0]]
  const group = spec.group_id === null ? undefined : await groupOf(ctx, spec.group_id)
  return {
    ...wishes,
    vcpus: flavor.vcpus,
    ram_mb: flavor.ram,
    disk_gb: (image ? flavor.disk : 0) + flavor.ephemeral,
    project_id,
    flavor: flavor.name,
    image_id: image?.id,
    zone: spec.availability_zone ?? undefined,
    image_properties: image?.properties ?? {},
    extra_specs: flavor.extra_specs,
    hints: spec.scheduler_hints,
    same_host: same_host && Object.keys(await hostsOfServers(ctx, same_host, elsewhere)),
    different_host: different_host ? Object.keys(await hostsOfServers(ctx, different_host, elsewhere)) : [],
    query: text === undefined ? undefined : { text, read: queryOf(text) },
    near: address === undefined ? undefined : { address, prefix: Number(cidr?.[0]?.slice(1) ?? 24) },
    ...(await linksOf(ctx, spec, serverIds, elsewhere)),
    nearness: await nearnessFor(ctx, spec, group, serverIds, elsewhere),
    group: group?.rules.level === undefined ? await groupByHost(ctx, group, serverIds, elsewhere) : undefined,
    ignore,
    ...(unfit && { unfit }),
  }
}

/** Servers of a bundle are placed one by one once they are there; and when they are made their links are not looked at here. */
async function linksOf(
  ctx: Ctx,
  { bundle_id }: RequestSpec,
  [id]: readonly string[],
  elsewhere: readonly Elsewhere[] | undefined,
): Promise<Partial<Wish>> {
  if (bundle_id === undefined || id === undefined) return {}
  return { bundle_id, ...(await linkWishes(ctx, bundle_id, id, elsewhere)) }
}

async function groupByHost(
  ctx: Ctx,
  group: Group | undefined,
  serverIds: readonly string[],
  elsewhere: readonly Elsewhere[] | undefined,
) {
  if (!group) return undefined
  // A server that moves does not stand in its own way.
  const others = group.members.filter(member => !serverIds.includes(member))
  const max_per_host = group.rules.max_server_per_host ?? 1
  return { policy: group.policy, max_per_host, members: await hostsOfServers(ctx, others, elsewhere) }
}
