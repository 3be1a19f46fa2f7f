/** Hosts as the scheduler sees them: remembered in the process, since reading ten thousand rows would be all that a decision does. And what operators change of one. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import type { Candidate } from '../../placement/contract.ts'
import { type AggregateRow, zoneKey } from '../aggregates/aggregate.ts'
import { aggregateHosts, aggregates } from '../aggregates/store.ts'
import { computeConfig } from '../config.ts'
import type { Signals } from '../host-signals/store.ts'
import { placesIn } from '../places/place.ts'
import type { PlaceSignalRow } from '../places/store.ts'
import { tellService } from '../resource-events.ts'
import { takenOf } from '../rooms/store.ts'
import type { Fit, FitHost } from '../scheduler/fit.ts'
import type { HostState } from '../scheduler/scheduler.ts'
import type { Load, Loads } from '../servers/store-loads.ts'
import { type HostRow, isUp } from './host.ts'
import { cpuCounts, fitHost, type OfferedCell, offeredCells } from './numa.ts'
import { cellProviderId, deviceProviderId, keepProvider, pageClass } from './provider.ts'
import { hosts } from './store.ts'

const idle: Load = { servers: 0, own_servers: 0, io_ops: 0 }
const silent = {}

/** What is known of hosts besides what they report, by name. Nothing when nobody asks for it. */
export interface Around {
  loads?: Loads
  signals?: Signals
  /** What is said of whole racks, rows and the like. */
  placeSignals?: readonly PlaceSignalRow[]
  /** Whether NUMA cells and devices matter. */
  numa?: boolean
}

/** What was read of a provider when it had this generation. */
interface Known {
  generation: number
  /** Undefined for a provider that is no host. */
  row: HostRow | undefined
  /** Ids of the host's aggregates. */
  aggregates: Set<number>
}

const memoryOf = perCloud(() => new Map<string, Known>())

/**
 * The hosts of candidates, as they were when their providers' generations last changed: facts, `disabled` and aggregates change it. Not so
 * their reports, so each counts as up: `recheck` those that are to be used.
 */
export async function hostsForScheduling(
  ctx: Ctx,
  candidates: readonly Candidate[],
  { loads = new Map(), signals = new Map(), placeSignals = [], numa = false }: Around = {},
): Promise<HostState[]> {
  const memory = memoryOf(ctx)
  const changed = candidates.filter(({ root, generation }) => memory.get(root)?.generation !== generation)
  await read(
    ctx,
    changed.map(({ root, generation }) => [root, generation]),
  )
  const { hosts: ratios, default_availability_zone: fallback } = ctx.config.of(computeConfig)
  const groups = await aggregatesInOrder(ctx)
  const found: HostState[] = []
  const taken = numa ? await takenOf(ctx, namesOf(candidates, memory)) : undefined
  for (const { root, used } of candidates) {
    const known = memory.get(root)
    if (!known?.row) continue
    const { memory_mb, disk_gb } = known.row.facts
    // For weighing: placement alone says whether something fits.
    const { shared, dedicated } = cpuCounts(ctx, known.row.facts)
    const free_vcpus = shared * ratios.cpu_allocation_ratio + dedicated - (used.VCPU ?? 0) - (used.PCPU ?? 0)
    const free_ram_mb = (memory_mb - ratios.reserved_memory_mb) * ratios.ram_allocation_ratio - (used.MEMORY_MB ?? 0)
    const free_disk_gb = disk_gb * ratios.disk_allocation_ratio - (used.DISK_GB ?? 0)
    const { name } = known.row
    const its = groupsOf(known, groups)
    const moving = {
      ...{ up: true, free_vcpus, free_ram_mb, free_disk_gb },
      ...(loads.get(name) ?? idle),
      signals: signalsOf(signals.get(name) ?? silent, placeSignals, its),
      numa: taken && fitHost(ctx, known.row.facts, taken.get(name)),
    }
    found.push(stateOf(known.row, its, fallback, moving))
  }
  return found
}

/** What is said of the host itself counts more than what is said of its rack. */
function signalsOf(own: HostState['signals'], ofPlaces: readonly PlaceSignalRow[], groups: readonly AggregateRow[]) {
  if (ofPlaces.length === 0) return own
  const places = new Map(groups.toReversed().flatMap(placesIn))
  const there = ofPlaces.filter(({ level, place }) => places.get(level) === place)
  return { ...Object.fromEntries(there.map(({ name, value }) => [name, value])), ...own }
}

const namesOf = (candidates: readonly Candidate[], memory: ReadonlyMap<string, Known>) =>
  candidates.flatMap(({ root }) => memory.get(root)?.row?.name ?? [])

/** What of a host's cells, CPUs and devices is free now. */
export async function freeNow(ctx: Ctx, name: string): Promise<FitHost> {
  const row = await hosts.find(ctx.db, { name })
  const taken = (await takenOf(ctx, [name])).get(name)
  return row ? fitHost(ctx, row.facts, taken) : { cells: [], devices: [], cpu_ratio: 1, ram_ratio: 1 }
}

export { configuredCpus } from './numa.ts'

/** The NUMA cells that a host offers. */
export async function cellsOfHost(ctx: Ctx, name: string): Promise<OfferedCell[]> {
  const row = await hosts.find(ctx.db, { name })
  return row ? offeredCells(ctx, row.facts) : []
}

/** A fit in the amounts of placement, by provider. */
export function amountsOfFit(
  { provider, node }: Pick<HostState, 'provider' | 'node'>,
  { cells, emulator, devices }: Fit,
): Record<string, Record<string, number>> {
  const ofCells = cells.map(({ id, host_cell, memory_mb, page_kb, pins }) => {
    const threads = Object.keys(pins).length + (id === 0 ? emulator.length : 0)
    const amounts = {
      NUMA_MEMORY_MB: memory_mb,
      ...(threads > 0 && { NUMA_THREAD: threads }),
      // Ordinary pages have no inventory of their own.
      ...(page_kb !== undefined && page_kb > 4 && { [pageClass(page_kb)]: (memory_mb * 1024) / page_kb }),
    }
    return [cellProviderId(provider, node, host_cell), amounts] as const
  })
  const ofDevices = devices.map(({ device }) => {
    const amounts = { [device.resource_class]: 1 }
    return [deviceProviderId(provider, node, device.address), amounts] as const
  })
  return Object.fromEntries([...ofCells, ...ofDevices])
}

/** Reads anew all of the hosts but their room and load, in place; those that are gone are left out. */
export async function recheck(ctx: Ctx, states: readonly HostState[]): Promise<HostState[]> {
  const memory = memoryOf(ctx)
  await read(
    ctx,
    states.map(({ provider }) => [provider, memory.get(provider)?.generation ?? -1]),
  )
  const { default_availability_zone: fallback } = ctx.config.of(computeConfig)
  const groups = await aggregatesInOrder(ctx)
  return states.flatMap(state => {
    const known = memory.get(state.provider)
    if (!known?.row) return []
    const now = { ...state, up: isUp(ctx, known.row) }
    return Object.assign(state, stateOf(known.row, groupsOf(known, groups), fallback, now))
  })
}

async function read(ctx: Ctx, providers: readonly (readonly [uuid: string, generation: number])[]): Promise<void> {
  if (providers.length === 0) return
  const memory = memoryOf(ctx)
  const found = await hosts.list(ctx.db, { provider_uuid: providers.map(([uuid]) => uuid) })
  const members = await aggregateHosts.list(ctx.db, { host: found.map(row => row.name) })
  const rows = new Map(found.map(row => [row.provider_uuid, row]))
  const membersOf = Map.groupBy(members, member => member.host)
  for (const [uuid, generation] of providers) {
    const row = rows.get(uuid)
    const ids = (row && membersOf.get(row.name)) ?? []
    memory.set(uuid, { generation, row, aggregates: new Set(ids.map(member => member.aggregate_id)) })
  }
}

/** Oldest first: where several say something of a host, the oldest counts. */
const aggregatesInOrder = (ctx: Ctx): Promise<AggregateRow[]> =>
  aggregates.list(ctx.db, {}, { orderBy: [{ column: 'id', direction: 'asc' }] })

const none: readonly AggregateRow[] = []
const groupsOf = ({ aggregates: ids }: Known, groups: readonly AggregateRow[]) =>
  ids.size === 0 ? none : groups.filter(group => ids.has(group.id))

type Moving = Load & Pick<HostState, 'up' | 'free_vcpus' | 'free_ram_mb' | 'free_disk_gb' | 'signals' | 'numa'>

function stateOf(row: HostRow, groups: readonly AggregateRow[], fallback: string, moving: Moving): HostState {
  const aggregate_metadata: Record<string, string[]> = {}
  for (const { metadata } of groups)
    for (const [key, value] of Object.entries(metadata))
      aggregate_metadata[key] = [...(aggregate_metadata[key] ?? []), value]
  const { facts } = row
  return {
    host: row.name,
    node: facts.hypervisor_hostname,
    provider: row.provider_uuid,
    zone: aggregate_metadata[zoneKey]?.[0] ?? fallback,
    dedicated_to: row.dedicated_to,
    enabled: !row.disabled,
    disabled_reason: row.disabled_reason,
    up: moving.up,
    arch: facts.cpu_info.arch,
    hypervisor_type: facts.hypervisor_type,
    hypervisor_version: facts.hypervisor_version,
    ip: row.machine.address,
    free_vcpus: moving.free_vcpus,
    free_ram_mb: moving.free_ram_mb,
    free_disk_gb: moving.free_disk_gb,
    servers: moving.servers,
    own_servers: moving.own_servers,
    io_ops: moving.io_ops,
    signals: moving.signals,
    numa: moving.numa,
    aggregate_metadata,
  }
}

export type HostChange = Partial<Pick<HostRow, 'disabled' | 'disabled_reason' | 'forced_down'>>

/** What an operator says of a host: told to all, and kept where placement looks. Returns the host as it is then. */
export async function changeHost(ctx: Ctx, row: HostRow, patch: HostChange): Promise<HostRow> {
  return ctx.transaction(async tx => {
    await hosts.update(tx.db, { id: row.id }, patch)
    // Others may have changed it since the caller looked: what placement hears is how it is now.
    const changed = await hosts.find(tx.db, { id: row.id })
    if (!changed) throw new NotFound(`Compute host ${row.name} could not be found.`)
    await tellService(tx, 'update', changed)
    if (patch.disabled !== undefined) await keepProvider(tx, changed)
    return changed
  })
}
