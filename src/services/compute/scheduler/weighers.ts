/**
 * Orders the hosts that passed: each weigher's figures are spread over 0 to 1 and summed with their multipliers. An aggregate may set a
 * multiplier for its hosts, as `ram_weight_multiplier`: so one pool can be packed while another is spread.
 */
import type { Extensions } from './extensions.ts'
import { nearnessOf } from './places.ts'
import type { HostState, ScheduleRequest } from './scheduler.ts'

export interface Weights {
  ram: number
  cpu: number
  disk: number
  io_ops: number
  num_instances: number
  collocation: number
}

/** Weights that ask what goes on with hosts: it is counted only for them. */
export const loadWeights = ['io_ops', 'num_instances', 'collocation'] as const satisfies (keyof Weights)[]

const isOfLoad = (name: keyof Weights) => loadWeights.some(one => one === name)

type Weigher = (host: HostState, request: ScheduleRequest) => number

const weighers: [keyof Weights, Weigher][] = [
  ['ram', host => host.free_ram_mb],
  ['cpu', host => host.free_vcpus],
  ['disk', host => host.free_disk_gb],
  ['io_ops', host => host.io_ops],
  ['num_instances', host => host.servers],
  // Where the project has servers, and others have none.
  ['collocation', host => 2 * host.own_servers - host.servers],
]

const groupWeigher: Weigher = (host, { group }) => {
  const members = group?.members[host.host] ?? 0
  if (group?.policy === 'soft-affinity') return members
  return group?.policy === 'soft-anti-affinity' ? -members : 0
}

export interface Weighing {
  weights: Weights
  extensions?: Extensions
  own_weights?: Readonly<Record<string, number>>
}

/** The best `keep` hosts, best first. */
export function bestOf(
  hosts: readonly HostState[],
  request: ScheduleRequest,
  options: Weighing & { random: () => number; keep: number },
): HostState[] {
  const { random, keep } = options
  const scores = scoresOf(hosts, request, options)
  const best: { host: HostState; score: number; tie: number }[] = []
  for (let index = 0; index < hosts.length; index++) {
    const host = hosts[index]!
    const score = scores[index]!
    const last = best.at(-1)
    if (last && best.length === keep && score < last.score) continue
    const entry = { host, score, tie: random() }
    const place = best.findIndex(other => score > other.score || (score === other.score && entry.tie < other.tie))
    best.splice(place < 0 ? best.length : place, 0, entry)
    if (best.length > keep) best.pop()
  }
  return best.map(({ host }) => host)
}

/** All of them, best first. */
export function inOrder(
  hosts: readonly HostState[],
  request: ScheduleRequest,
  options: Weighing & { random: () => number },
): HostState[] {
  const scores = scoresOf(hosts, request, options)
  return hosts
    .map((host, index) => ({ host, score: scores[index]!, tie: options.random() }))
    .sort((a, b) => b.score - a.score || a.tie - b.tie)
    .map(({ host }) => host)
}

function scoresOf(
  hosts: readonly HostState[],
  request: ScheduleRequest,
  { weights, extensions, own_weights = {} }: Weighing,
): Float64Array {
  const scores = new Float64Array(hosts.length)
  for (const [name, weigher] of weighers) {
    if (weights[name] === 0 && isOfLoad(name)) continue
    addNormalized(scores, hosts, host => weigher(host, request), multiplierOf(name, weights[name]))
  }
  for (const [name, weigher] of Object.entries(extensions?.weighers ?? {}))
    addNormalized(
      scores,
      hosts,
      host => weigher(host, request),
      () => own_weights[name] ?? 1,
    )
  const wishes = (request.nearness ?? [])
    .filter(wish => !wish.hard)
    .map(wish => (host: HostState) => nearnessOf(host, wish))
  if (request.group) wishes.push(host => groupWeigher(host, request))
  // What a project has for itself it pays for, used or not.
  if (hosts.some(host => host.dedicated_to !== null))
    wishes.push(host => (host.dedicated_to === request.project_id ? 1 : 0))
  // A wish of the user's counts more than the operator's spreading.
  for (const wish of wishes) addNormalized(scores, hosts, wish, () => 10)
  return scores
}

/** Of several aggregates the least counts. */
function multiplierOf(name: keyof Weights, otherwise: number): (host: HostState) => number {
  const key = `${name}_weight_multiplier`
  return ({ aggregate_metadata }) => {
    const said = aggregate_metadata[key]
    if (said === undefined) return otherwise
    const numbers = said.map(Number).filter(Number.isFinite)
    return numbers.length > 0 ? Math.min(...numbers) : otherwise
  }
}

function addNormalized(
  scores: Float64Array,
  hosts: readonly HostState[],
  weigh: (host: HostState) => number,
  multiplier: (host: HostState) => number,
): void {
  const values = hosts.map(weigh)
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (value < least) least = value
    if (value > most) most = value
  }
  if (most <= least) return
  for (let index = 0; index < values.length; index++) {
    const share = (values[index]! - least) / (most - least)
    scores[index] = scores[index]! + multiplier(hosts[index]!) * share
  }
}
