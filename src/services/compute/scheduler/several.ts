/** Chooses hosts for several alike servers of one request. Each decision sees what the ones before took; of hosts only what changed is looked at anew. */
import { type Deciding, decide } from './decide.ts'
import {
  type HostState,
  passing,
  type Schedule,
  type ScheduleRequest,
  type SchedulerOptions,
  take,
} from './scheduler.ts'
import { bestOf } from './weighers.ts'

/**
 * A host for each server, in their order; fewer when hosts run out. Neither the hosts nor the request are changed. A host gets a second
 * server only when its figures say that it has room for one: they are not exact, so the claim still decides.
 */
export function chooseSeveral(
  asked: ScheduleRequest,
  known: readonly HostState[],
  options: SchedulerOptions,
  count: number,
): HostState[] {
  const original = new Map(known.map(host => [host.host, host]))
  const request = ownRequest(asked)
  const passes = (hosts: readonly HostState[]) => passing(request, hosts, options).passed
  let left: HostState[] = known.map(host => ({ ...host }))
  let passed = passes(left)
  const chosen: HostState[] = []
  while (chosen.length < count) {
    const [host] = bestOf(passed, request, { ...options, keep: 1 })
    if (!host) break
    take(host, request)
    chosen.push(original.get(host.host)!)
    const isFull = !hasRoom(host, request)
    if (isFull) left = left.filter(one => one !== host)
    // Where servers are matters to those that belong together; else a host's verdict is its own.
    if (request.group || request.nearness?.length) passed = passes(left)
    else if (isFull || passes([host]).length === 0) passed = passed.filter(one => one !== host)
  }
  return chosen
}

/** The same by a driver, with what it says of each server; when it finds no host for one, those after it are not asked for. */
export async function decideSeveral(
  asked: ScheduleRequest,
  known: readonly HostState[],
  options: Deciding,
  count: number,
): Promise<Schedule[]> {
  const request = ownRequest(asked)
  const hosts = known.map(host => ({ ...host }))
  const decided: Schedule[] = []
  while (decided.length < count) {
    const one = await decide(request, hosts, options)
    decided.push(one)
    const [host] = one.best
    if (!host) break
    take(host, request)
  }
  return decided
}

const hasRoom = (host: HostState, { vcpus, ram_mb, disk_gb }: ScheduleRequest) =>
  host.free_vcpus >= vcpus && host.free_ram_mb >= ram_mb && host.free_disk_gb >= disk_gb

/** With counts of its own where servers are counted. */
const ownRequest = (request: ScheduleRequest): ScheduleRequest => ({
  ...request,
  ...(request.group && { group: { ...request.group, members: { ...request.group.members } } }),
  ...(request.nearness && { nearness: request.nearness.map(near => ({ ...near, members: { ...near.members } })) }),
})
