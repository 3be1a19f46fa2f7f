/** Chooses a host for each server of a request and claims its room there; or says why no host would do. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict } from '#kernel/errors.ts'
import type { Candidate, CandidateRequest, ConsumerSpec } from '../../placement/contract.ts'
import { computeConfig } from '../config.ts'
import { freshSignals } from '../host-signals/store.ts'
import { type Around, hostsForScheduling, recheck } from '../hosts/steps.ts'
import { hosts as hostRows } from '../hosts/store.ts'
import { claimRoom, releaseRoom } from '../rooms/steps.ts'
import { loadFilters } from '../scheduler/filters.ts'
import { queryOf } from '../scheduler/json-filter.ts'
import {
  type HostState,
  type Refused,
  type Schedule,
  type ScheduleRequest,
  type SchedulerOptions,
  schedule,
  take,
} from '../scheduler/scheduler.ts'
import { asksForSignals } from '../scheduler/signals-filter.ts'
import { loadWeights } from '../scheduler/weighers.ts'
import { groupOf } from '../server-groups/store.ts'
import type { Explanation } from './explanation.ts'
import { type MachineWishes, machineWishes } from './machine.ts'
import { candidateRequest, claimedAmounts } from './resources.ts'
import type { RequestSpec, ServerFlavor, ServerImage } from './server.ts'
import { hostsOfServers, loadsOfHosts } from './store.ts'

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
  project_id: string
  user_id: string
}

type Wish = ScheduleRequest & MachineWishes

export type Placing = { hosts: HostState[] } | { explanation: Explanation }

/** How many hosts are tried when the room of the best ones is taken at the same moment. */
const alternates = 8

/** Claims room for all of the servers, or for none. In a transaction. */
export async function place(ctx: Ctx, request: PlacingRequest, serverIds: readonly string[]): Promise<Placing> {
  const wishes = machineWishes(ctx, request.flavor, request.image)
  const asked = await candidateRequest(ctx, request, wishes)
  const candidates = asked ? await candidatesOf(ctx, asked) : []
  const options = schedulerOptions(ctx, request.forced)
  const hosts = await hostsForScheduling(ctx, candidates, await aroundHosts(ctx, request, wishes, options))
  const wish = await scheduleRequest(ctx, request, wishes, serverIds)
  const chosen: HostState[] = []
  for (const serverId of serverIds) {
    const { best, refused } = await bestOf(ctx, wish, hosts, options)
    const consumer = { id: serverId, project_id: request.project_id, user_id: request.user_id, type: 'INSTANCE' }
    const host = await claimFirst(ctx, consumer, wish, best, candidates, refused)
    if (!host) {
      // Before the others' room is given back: it is what was lacking.
      const explanation = await explain(ctx, request, asked, refused)
      for (const id of serverIds.slice(0, chosen.length)) await releaseRoom(ctx, id)
      return { explanation }
    }
    take(host, wish)
    chosen.push(host)
  }
  return { hosts: chosen }
}

/** The best hosts, made sure of: what is remembered of a host does not say that it is up. When none of them will do, all are looked at. */
async function bestOf(
  ctx: Ctx,
  wish: ScheduleRequest,
  hosts: HostState[],
  options: SchedulerOptions,
): Promise<Schedule> {
  const { best } = schedule(wish, hosts, options)
  const sure = schedule(wish, await recheck(ctx, best), options)
  return sure.best.length > 0 ? sure : schedule(wish, await recheck(ctx, hosts), options)
}

/** Of each host one: it may have several ways to give what is asked for. */
async function candidatesOf(ctx: Ctx, asked: CandidateRequest): Promise<Candidate[]> {
  const limit = ctx.config.of(computeConfig).scheduler.max_candidates
  const found = await ctx.services.placement.candidates(ctx, { ...asked, limit })
  return [...new Map(found.map(candidate => [candidate.root, candidate])).values()]
}

async function claimFirst(
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
      const refusal = await claimRoom(ctx, consumer, host, wish, claimedAmounts(allocations(), wish))
      if (!refusal) return host
      refused.push({ host: host.host, filter: 'claim', asked: 'cells, CPUs and devices', had: refusal.lacks })
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
  return undefined
}

function schedulerOptions(ctx: Ctx, forced = false): SchedulerOptions {
  const { scheduler } = ctx.config.of(computeConfig)
  return {
    filters: forced ? [] : scheduler.filters,
    settings: scheduler,
    weights: {
      ram: scheduler.ram_weight,
      cpu: scheduler.cpu_weight,
      disk: scheduler.disk_weight,
      io_ops: scheduler.io_ops_weight,
      num_instances: scheduler.num_instances_weight,
    },
    random: ctx.ids.random,
    keep: alternates,
  }
}

/** Read only when it matters: the servers and signals of ten thousand hosts are many. */
async function aroundHosts(
  ctx: Ctx,
  { flavor, spec }: PlacingRequest,
  { topology, devices }: MachineWishes,
  { filters, settings, weights }: SchedulerOptions,
): Promise<Around> {
  const loadMatters = loadWeights.some(name => weights[name] !== 0) || loadFilters.some(name => filters.includes(name))
  const isAskedFor = settings.wanted_signals.length > 0 || asksForSignals(flavor.extra_specs)
  const signalsMatter =
    (isAskedFor && filters.includes('HostSignalsFilter')) ||
    (spec.scheduler_hints.query !== undefined && filters.includes('JsonFilter'))
  return {
    ...(loadMatters && { loads: await loadsOfHosts(ctx) }),
    ...(signalsMatter && { signals: await freshSignals(ctx) }),
    numa: topology !== undefined || devices.length > 0,
  }
}

async function scheduleRequest(
  ctx: Ctx,
  { flavor, image, spec, ignore, unfit, project_id }: PlacingRequest,
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
    disk_gb: flavor.disk + flavor.ephemeral,
    project_id,
    flavor: flavor.name,
    image_id: image?.id,
    zone: spec.availability_zone ?? undefined,
    image_properties: image?.properties ?? {},
    extra_specs: flavor.extra_specs,
    same_host: same_host && Object.keys(await hostsOfServers(ctx, same_host)),
    different_host: different_host ? Object.keys(await hostsOfServers(ctx, different_host)) : [],
    query: text === undefined ? undefined : { text, read: queryOf(text) },
    near: address === undefined ? undefined : { address, prefix: Number(cidr?.[0]?.slice(1) ?? 24) },
    group: group && {
      policy: group.policy,
      max_per_host: group.max_per_host,
      // A server that moves does not stand in its own way.
      members: await hostsOfServers(
        ctx,
        group.members.filter(member => !serverIds.includes(member)),
      ),
    },
    ignore,
    ...(unfit && { unfit }),
  }
}

/** What was asked, and of each host which rule refused it: placement's, then the filters'. */
async function explain(
  ctx: Ctx,
  { spec, flavor }: PlacingRequest,
  asked: CandidateRequest | undefined,
  refused: Refused[],
): Promise<Explanation> {
  const known = await hostRows.pick(ctx.db, ['provider_uuid', 'name'])
  const names = new Map(known.map(host => [host.provider_uuid, host.name]))
  const refusals = asked ? await ctx.services.placement.explain(ctx, asked) : []
  return {
    asked: {
      flavor: flavor.name,
      resources: asked?.resources ?? {},
      required_traits: asked?.required_traits ?? [],
      forbidden_traits: asked?.forbidden_traits ?? [],
      availability_zone: spec.availability_zone,
      host: spec.requested_host,
      scheduler_hints: spec.scheduler_hints,
    },
    hosts: [
      ...refusals.flatMap(({ provider, constraint, asked: wanted, had }) => {
        const host = names.get(provider)
        return host === undefined ? [] : [{ host, rule: constraint, asked: wanted, had }]
      }),
      ...refused.map(({ host, filter, asked: wanted, had }) => ({ host, rule: filter, asked: wanted, had })),
    ].slice(0, 1000),
  }
}
