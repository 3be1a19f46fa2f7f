/** Chooses hosts: filters drop those that cannot take a server, weighers order the rest. Pure: a snapshot in, verdicts out. */
import { type Extensions, noExtensions } from './extensions.ts'
import { type Filter, type FilterSettings, filtersByName } from './filters.ts'
import type { FitHost } from './fit.ts'
import type { GuestTopology } from './guest-topology.ts'
import { type LinkWish, type Network, refusedByLinks } from './links.ts'
import type { PciRequest } from './pci.ts'
import { type Nearness, occupy } from './places.ts'
import { bestOf, type Weights } from './weighers.ts'

/** A host as the scheduler sees it. */
export interface HostState {
  /** Of the compute service. */
  host: string
  /** Of the hypervisor. */
  node: string
  /** Root resource provider. */
  provider: string
  zone: string
  /** The project that has all of it; null for none. */
  dedicated_to: string | null
  /** False when an operator has disabled it. */
  enabled: boolean
  disabled_reason: string | null
  /** False when its agent has not been heard of for too long. */
  up: boolean
  arch: string
  hypervisor_type: string
  hypervisor_version: number
  /** Where its agent runs, if it said so. */
  ip: string | undefined
  free_vcpus: number
  free_ram_mb: number
  free_disk_gb: number
  /** How many are there. Counted when a filter or weigher asks; else 0, as is `io_ops`. */
  servers: number
  /** How many of them are the project's that asks. */
  own_servers: number
  /** How many of them are being built, copied or moved. */
  io_ops: number
  /** What daemons said of it lately. Read when somebody asks; else nothing. */
  signals: Readonly<Record<string, string | number | boolean>>
  /** Its NUMA cells and devices, with what is taken of them. Read when somebody asks for such; else nothing. */
  numa?: FitHost | undefined
  /** Metadata of the host's aggregates, all values of a key. */
  aggregate_metadata: Record<string, string[]>
}

export type GroupPolicy = 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'

/** What is asked for one server. */
export interface ScheduleRequest {
  vcpus: number
  ram_mb: number
  disk_gb: number
  project_id: string
  /** The flavor's name. */
  flavor: string
  /** Undefined: any. */
  zone: string | undefined
  image_id: string | undefined
  image_properties: Record<string, string>
  extra_specs: Record<string, string>
  /** The NUMA cells of its guest; undefined: whatever the host gives. */
  topology?: GuestTopology | undefined
  devices?: readonly PciRequest[]
  /** All hints as they were given, for filters of others. */
  hints?: Readonly<Record<string, readonly string[]>>
  /** Hosts that servers named in hints are on. */
  same_host: string[] | undefined
  different_host: string[]
  /** The hint `query`, and what it reads as in JSON. */
  query: { text: string; read: unknown } | undefined
  /** Hosts with an address in this range. */
  near: { address: string; prefix: number } | undefined
  group:
    | { policy: GroupPolicy; max_per_host: number /** Members by host. */; members: Record<string, number> }
    | undefined
  /** Where it is to be, and would like to be, as seen from servers that it belongs to. */
  nearness?: Nearness[]
  /** Of a server with links: those to servers that have a host. */
  links?: readonly LinkWish[]
  network?: Network
  /** Hosts that have been tried already. */
  ignore: string[]
  /** Hosts that cannot take this server for a reason of its own, with the reason. */
  unfit?: Record<string, string>
}

/** Why a filter refused a host. */
export interface Refused {
  host: string
  filter: string
  asked: string
  had: string
}

export interface Schedule {
  /** The best hosts of those that passed, best first; at most `keep`. */
  best: HostState[]
  refused: Refused[]
  /** The driver was not there to choose. */
  away?: true
}

export interface SchedulerOptions {
  filters: readonly string[]
  settings: FilterSettings
  weights: Weights
  /** What operators brought, and how much each weigher of theirs counts. */
  extensions?: Extensions
  own_weights?: Readonly<Record<string, number>>
  /** Breaks ties between hosts; in [0, 1). */
  random: () => number
  /** How many hosts are wanted. Ordering all of ten thousand would take longer than all else. */
  keep: number
}

export function schedule(request: ScheduleRequest, hosts: readonly HostState[], options: SchedulerOptions): Schedule {
  const { passed, refused } = passing(request, hosts, options)
  return { best: bestOf(passed, request, options), refused }
}

/** The hosts that pass all filters, and why the others do not. */
export function passing(
  request: ScheduleRequest,
  hosts: readonly HostState[],
  options: Pick<SchedulerOptions, 'filters' | 'settings' | 'extensions'>,
): { passed: HostState[]; refused: Refused[] } {
  const filters = options.filters.map(name => filterNamed(name, options.extensions))
  const passed: HostState[] = []
  const refused: Refused[] = []
  for (const host of hosts) {
    const refusal = firstRefusal(filters, host, request, options.settings)
    if (refusal) refused.push({ host: host.host, ...refusal })
    else passed.push(host)
  }
  return { passed, refused }
}

function firstRefusal(
  filters: readonly (readonly [string, Filter])[],
  host: HostState,
  request: ScheduleRequest,
  settings: FilterSettings,
) {
  if (request.ignore.includes(host.host)) return { filter: 'RetryFilter', asked: 'a host not tried yet', had: 'tried' }
  const unfit = request.unfit?.[host.host]
  if (unfit !== undefined) return { filter: 'MoveFilter', asked: 'a host that can take the server', had: unfit }
  const farOff = refusedByLinks(host, request)
  if (farOff) return { filter: 'LinkFilter', ...farOff }
  for (const [name, filter] of filters) {
    const why = filter(host, request, settings)
    if (why) return { filter: name, ...why }
  }
  return undefined
}

function filterNamed(name: string, { filters }: Extensions = noExtensions): readonly [string, Filter] {
  const filter = filtersByName[name] ?? filters[name]
  if (!filter) {
    const known = [...Object.keys(filtersByName), ...Object.keys(filters)]
    throw new Error(`No scheduler filter is named "${name}": there are ${known.join(', ')}.`)
  }
  return [name, filter]
}

/** The host's figures once a server of this request is on it, so that the next one is chosen with that in mind. */
export function take(host: HostState, request: ScheduleRequest): void {
  host.free_vcpus -= request.vcpus
  host.free_ram_mb -= request.ram_mb
  host.free_disk_gb -= request.disk_gb
  host.servers++
  host.own_servers++
  host.io_ops++
  occupy(host, request)
  if (request.group) {
    const { members } = request.group
    members[host.host] = (members[host.host] ?? 0) + 1
  }
}
