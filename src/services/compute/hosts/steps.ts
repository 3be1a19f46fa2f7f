/** Hosts as the scheduler sees them, and what operators change of one. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import type { Candidate } from '../../placement/contract.ts'
import type { AggregateRow } from '../aggregates/aggregate.ts'
import type { Signals } from '../host-signals/store.ts'
import { placesIn } from '../places/place.ts'
import type { PlaceSignalRow } from '../places/store.ts'
import { tellService } from '../resource-events.ts'
import { takenOf } from '../rooms/store.ts'
import type { Fit, FitHost } from '../scheduler/fit.ts'
import type { HostState } from '../scheduler/scheduler.ts'
import type { Load, Loads } from '../servers/store-loads.ts'
import type { HostRow } from './host.ts'
import { aggregatesSay, hostsNow, knownHosts } from './known.ts'
import { fitHost, type OfferedCell, offeredCells } from './numa.ts'
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

/**
 * The hosts of candidates, as they were when their providers' generations last changed: facts, `disabled` and aggregates change it. Not so
 * their reports, so each counts as up: `recheck` those that are to be used.
 */
export async function hostsForScheduling(
  ctx: Ctx,
  candidates: readonly Candidate[],
  { loads = new Map(), signals = new Map(), placeSignals = [], numa = false }: Around = {},
): Promise<HostState[]> {
  const known = await knownHosts(ctx, candidates)
  const said = await aggregatesSay(ctx, known)
  const taken = numa
    ? await takenOf(
        ctx,
        known.flatMap(one => one?.state.host ?? []),
      )
    : undefined
  const found: HostState[] = []
  for (let i = 0; i < candidates.length; i++) {
    const one = known[i]
    if (!one) continue
    const { state, facts } = one
    const { used } = candidates[i]!
    const load = loads.get(state.host) ?? idle
    const its = said(one)
    found.push({
      ...state,
      up: true,
      zone: its.state.zone,
      aggregate_metadata: its.state.aggregate_metadata,
      free_vcpus: state.free_vcpus - (used.VCPU ?? 0) - (used.PCPU ?? 0),
      free_ram_mb: state.free_ram_mb - (used.MEMORY_MB ?? 0),
      free_disk_gb: state.free_disk_gb - (used.DISK_GB ?? 0),
      servers: load.servers,
      own_servers: load.own_servers,
      io_ops: load.io_ops,
      signals: signalsOf(signals.get(state.host) ?? silent, placeSignals, its.groups),
      numa: taken && fitHost(ctx, facts, taken.get(state.host)),
    })
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
  if (states.length === 0) return []
  const now = await hostsNow(
    ctx,
    states.map(({ provider }) => provider),
  )
  const said = await aggregatesSay(ctx, now.values())
  return states.flatMap(state => {
    const known = now.get(state.provider)
    if (!known) return []
    const { free_vcpus, free_ram_mb, free_disk_gb, servers, own_servers, io_ops, signals, numa } = state
    const moving = { free_vcpus, free_ram_mb, free_disk_gb, servers, own_servers, io_ops, signals, numa }
    return Object.assign(state, known.state, said(known).state, moving)
  })
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
