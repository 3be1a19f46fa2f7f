/** NUMA cells, CPUs and devices of a host as its operators offer them to guests, and what of them is taken. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import type { HostFacts } from '../drivers/driver.ts'
import type { Room } from '../rooms/store.ts'
import { cpuSet } from '../scheduler/cpu-set.ts'
import type { CellState, FitHost } from '../scheduler/fit.ts'
import { offeredDevices, type PciDevice } from '../scheduler/pci.ts'

export type OfferedCell = Omit<CellState, 'pinned' | 'shared_used' | 'memory_used_mb' | 'pages_used'>

type Facts = Pick<HostFacts, 'vcpus' | 'cells' | 'devices'>

/** The CPUs that the setting names; undefined when it names none. Throws for what is no list. */
export function configuredCpus(ctx: Ctx, setting: 'cpu_dedicated_set' | 'cpu_shared_set'): number[] | undefined {
  const text = ctx.config.of(computeConfig).hosts[setting]
  const cpus = cpuSet(text)
  if (!cpus) throw new Error(`compute.hosts.${setting}: "${text}" is no list of CPUs such as "0-3,^2".`)
  return cpus.length > 0 ? cpus : undefined
}

export function offeredCells(ctx: Ctx, { cells = [] }: Facts): OfferedCell[] {
  const dedicated = new Set(configuredCpus(ctx, 'cpu_dedicated_set'))
  const named = configuredCpus(ctx, 'cpu_shared_set')
  const shared = named && new Set(named)
  return cells.map(({ id, socket, cpus, siblings, memory_mb, pages }) => ({
    ...{ id, socket, memory_mb, pages },
    shared: cpus.filter(cpu => (shared ? shared.has(cpu) : dedicated.size === 0)),
    dedicated: cpus.filter(cpu => dedicated.has(cpu) && !shared?.has(cpu)),
    siblings: siblings.map(core => core.filter(cpu => dedicated.has(cpu))).filter(core => core.length > 0),
  }))
}

export const offeredDevicesOf = (ctx: Ctx, { devices = [] }: Facts): PciDevice[] =>
  devices.length === 0 ? [] : offeredDevices(devices, ctx.config.of(computeConfig).pci.device_spec)

/** How many CPUs a host has for guests: those that they share, and those that they have for themselves. */
export function cpuCounts(ctx: Ctx, facts: Facts): { shared: number; dedicated: number } {
  const all = { shared: facts.vcpus, dedicated: 0 }
  if (!facts.cells) return all
  const isDivided = configuredCpus(ctx, 'cpu_dedicated_set') ?? configuredCpus(ctx, 'cpu_shared_set')
  if (!isDivided) return all
  const cells = offeredCells(ctx, facts)
  const count = (of: (cell: OfferedCell) => number[]) => cells.reduce((sum, cell) => sum + of(cell).length, 0)
  return { shared: count(cell => cell.shared), dedicated: count(cell => cell.dedicated) }
}

/** What guests can still have. */
export function fitHost(ctx: Ctx, facts: Facts, taken: Room = { cells: [], cpus: [], devices: [] }): FitHost {
  const { cpu_allocation_ratio, ram_allocation_ratio } = ctx.config.of(computeConfig).hosts
  const claimed = new Set(taken.devices.map(({ address }) => address))
  return {
    cells: offeredCells(ctx, facts).map(cell => stateOf(cell, taken)),
    devices: offeredDevicesOf(ctx, facts).filter(({ address }) => !claimed.has(address)),
    cpu_ratio: cpu_allocation_ratio,
    ram_ratio: ram_allocation_ratio,
  }
}

function stateOf(cell: OfferedCell, taken: Room): CellState {
  const guests = taken.cells.filter(({ host_cell }) => host_cell === cell.id)
  const pages_used: Record<number, number> = {}
  for (const { page_kb, memory_mb } of guests)
    if (page_kb !== null) pages_used[page_kb] = (pages_used[page_kb] ?? 0) + (memory_mb * 1024) / page_kb
  return {
    ...cell,
    pinned: new Set(taken.cpus.map(({ cpu }) => cpu).filter(cpu => cell.dedicated.includes(cpu))),
    shared_used: guests.reduce((sum, { shared_vcpus }) => sum + shared_vcpus, 0),
    memory_used_mb: guests.reduce((sum, { memory_mb }) => sum + memory_mb, 0),
    pages_used,
  }
}
