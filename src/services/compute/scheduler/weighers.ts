/** Orders the hosts that passed: each weigher's figures are spread over 0 to 1 and summed with their multipliers. */
import type { HostState, ScheduleRequest } from './scheduler.ts'

export interface Weights {
  ram: number
  cpu: number
}

type Weigher = (host: HostState, request: ScheduleRequest) => number

const groupWeigher: Weigher = (host, { group }) => {
  const members = group?.members[host.host] ?? 0
  if (group?.policy === 'soft-affinity') return members
  return group?.policy === 'soft-anti-affinity' ? -members : 0
}

/** The best `keep` hosts, best first. */
export function bestOf(
  hosts: readonly HostState[],
  request: ScheduleRequest,
  { weights, random, keep }: { weights: Weights; random: () => number; keep: number },
): HostState[] {
  const scores = scoresOf(hosts, request, weights)
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

function scoresOf(hosts: readonly HostState[], request: ScheduleRequest, weights: Weights): Float64Array {
  const weighers: [number, Weigher][] = [
    [weights.ram, host => host.free_ram_mb],
    [weights.cpu, host => host.free_vcpus],
    // A wish of the user's counts more than the operator's spreading.
    [request.group ? 10 : 0, groupWeigher],
  ]
  const scores = new Float64Array(hosts.length)
  for (const [multiplier, weigher] of weighers) {
    if (multiplier !== 0) addNormalized(scores, hosts, request, multiplier, weigher)
  }
  return scores
}

function addNormalized(
  scores: Float64Array,
  hosts: readonly HostState[],
  request: ScheduleRequest,
  multiplier: number,
  weigher: Weigher,
): void {
  const values = hosts.map(host => weigher(host, request))
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (value < least) least = value
    if (value > most) most = value
  }
  if (most <= least) return
  for (let index = 0; index < values.length; index++) {
    scores[index] = scores[index]! + (multiplier * (values[index]! - least)) / (most - least)
  }
}
