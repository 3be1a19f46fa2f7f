/** Fits a guest's NUMA cells, CPUs, pages and devices onto a host. Pure: what is taken comes with the host. */
import { pickCpus } from './fit-cpus.ts'
import type { GuestCell, GuestTopology, PageSize } from './guest-topology.ts'
import type { PciDevice, PciRequest } from './pci.ts'

/** A NUMA cell of a host and what is taken of it. */
export interface CellState {
  id: number
  socket: number
  /** CPUs for vCPUs that share them. */
  shared: number[]
  /** CPUs that are given out one by one. */
  dedicated: number[]
  /** CPUs of one core each; those that are no guests' are left out. */
  siblings: number[][]
  memory_mb: number
  /** Pages that are larger than ordinary ones. */
  pages: { size_kb: number; total: number }[]
  pinned: ReadonlySet<number>
  shared_used: number
  memory_used_mb: number
  /** By the size of pages in KiB. */
  pages_used: Readonly<Record<number, number>>
}

/** What of a host such guests can have. */
export interface FitHost {
  cells: CellState[]
  /** Those that are free. */
  devices: PciDevice[]
  /** How many vCPUs may share a CPU, and how often ordinary memory is given out. */
  cpu_ratio: number
  ram_ratio: number
}

/** Where a guest's cell lies. */
export interface FittedCell {
  id: number
  host_cell: number
  memory_mb: number
  /** Undefined: the host decides. */
  page_kb: number | undefined
  /** CPUs of the host by vCPU. */
  pins: Record<number, number>
  shared_vcpus: number
  /** How many vCPUs lie on each core. */
  threads: number
}

export interface Fit {
  cells: FittedCell[]
  /** For what QEMU does beside the vCPUs. */
  emulator: number[]
  devices: { request: PciRequest; device: PciDevice }[]
}

export type Fitting = { fit: Fit } | { lacks: string }

/** Ordinary pages. */
const smallKb = 4

/** Choices looked at: who asks for many cells must not keep the scheduler busy with hosts that have many. */
const mostSteps = 5000

/** Of a guest without a topology only devices are fitted. */
export function fitOnHost(
  topology: GuestTopology | undefined,
  requests: readonly PciRequest[],
  host: FitHost,
): Fitting {
  if (!topology) {
    const devices = pickDevices(requests, host, undefined)
    return 'lacks' in devices ? devices : { fit: { cells: [], emulator: [], devices: devices.picked } }
  }
  if (host.cells.length < topology.cells.length)
    return { lacks: host.cells.length === 0 ? 'no NUMA cells' : `${host.cells.length} NUMA cells` }
  return fitCells(topology, requests, host)
}

type CellFitting = { cell: FittedCell; emulator: number[] } | { lacks: string }

function fitCells(topology: GuestTopology, requests: readonly PciRequest[], host: FitHost): Fitting {
  const order = inOrder(host, requests)
  // A cell of the host has one of the guest at most, so that each fits or not whatever becomes of the others.
  const options = topology.cells
    .map(wanted => ({ wanted, fitted: order.map(cell => fitCell(topology, wanted, cell, host)) }))
    .sort((a, b) => usable(a.fitted) - usable(b.fitted))
  const chosen: Exclude<CellFitting, { lacks: string }>[] = []
  let noDevices: string | undefined
  let steps = 0
  function place(index: number): Fit | undefined {
    const option = options[index]
    if (!option) {
      const cells = chosen.map(({ cell }) => cell).sort((a, b) => a.id - b.id)
      const devices = pickDevices(requests, host, cells)
      if ('picked' in devices) return { cells, emulator: chosen.flatMap(one => one.emulator), devices: devices.picked }
      noDevices = devices.lacks
      return undefined
    }
    for (const fitted of option.fitted) {
      if (steps++ > mostSteps) return undefined
      if ('lacks' in fitted || chosen.some(other => other.cell.host_cell === fitted.cell.host_cell)) continue
      chosen.push(fitted)
      const found = place(index + 1)
      if (found) return found
      chosen.pop()
    }
    return undefined
  }
  const fit = place(0)
  return fit ? { fit } : { lacks: noDevices ?? cellsTold(order, options[0]?.fitted ?? []) }
}

const usable = (fitted: readonly CellFitting[]) => fitted.filter(one => 'cell' in one).length

/** What each cell of the host lacks for the guest's cell that is hardest to place. */
function cellsTold(order: readonly CellState[], fitted: readonly CellFitting[]): string {
  const told = order.map(({ id }, index) => {
    const one = fitted[index]
    return { id, text: one && 'lacks' in one ? one.lacks : 'room for one of its cells' }
  })
  return told
    .sort((a, b) => a.id - b.id)
    .map(({ id, text }) => `cell ${id}: ${text}`)
    .join('; ')
}

/** Cells next to wanted devices first, those next to unwanted ones last; then those of which most is free. */
function inOrder({ cells, devices }: FitHost, requests: readonly PciRequest[]): CellState[] {
  const classes = new Set(requests.map(request => request.resource_class))
  const score = (cell: CellState) => {
    const near = devices.filter(device => device.cell === cell.id)
    if (near.some(device => classes.has(device.resource_class))) return 0
    return near.length === 0 ? 1 : 2
  }
  const free = (cell: CellState) => cell.memory_mb - cell.memory_used_mb
  return [...cells].sort((a, b) => score(a) - score(b) || free(b) - free(a) || a.id - b.id)
}

function fitCell(
  { cpu, page_size }: GuestTopology,
  wanted: GuestCell,
  cell: CellState,
  { cpu_ratio, ram_ratio }: FitHost,
): CellFitting {
  const dedicated = wanted.vcpus.filter(vcpu => cpu.dedicated.has(vcpu))
  const shared_vcpus = wanted.vcpus.length - dedicated.length
  if (shared_vcpus > cell.shared.length || cell.shared_used + shared_vcpus > cell.shared.length * cpu_ratio)
    return { lacks: `${cell.shared.length} shared CPUs for ${cell.shared_used} vCPUs and ${shared_vcpus} more` }
  // A guest that has CPUs for itself has its memory for itself.
  const ratio = cpu.policy === 'shared' && page_size === undefined ? ram_ratio : 1
  const free_mb = Math.floor(cell.memory_mb * ratio) - cell.memory_used_mb
  if (wanted.memory_mb > Math.min(free_mb, cell.memory_mb)) return { lacks: `${Math.max(0, free_mb)} MiB free` }
  const page_kb = page_size === undefined ? undefined : pageFor(page_size, wanted.memory_mb, cell)
  if (page_size !== undefined && page_kb === undefined) return { lacks: `too few pages (${pagesTold(cell)})` }
  const needsEmulator = cpu.emulator === 'isolate' && wanted.id === 0
  const picked = pickCpus(cell, dedicated.length, cpu.threads, needsEmulator)
  if (!picked)
    return { lacks: `${cell.dedicated.length - cell.pinned.size} of ${cell.dedicated.length} dedicated CPUs free` }
  const pins = Object.fromEntries(dedicated.map((vcpu, index) => [vcpu, picked.cpus[index]!]))
  const { memory_mb, id } = wanted
  const fitted = { id, host_cell: cell.id, memory_mb, page_kb, pins, shared_vcpus, threads: picked.threads }
  return { cell: fitted, emulator: picked.emulator }
}

/** The size of page that is used; undefined when none has enough that are free. */
function pageFor(asked: PageSize, memory_mb: number, cell: CellState): number | undefined {
  const large = cell.pages.map(({ size_kb }) => size_kb).sort((a, b) => b - a)
  const sizes = { large, small: [smallKb], any: [...large, smallKb] }
  const need = memory_mb * 1024
  return (typeof asked === 'number' ? [asked] : sizes[asked]).find(
    size => need % size === 0 && need / size <= freePages(cell, size),
  )
}

function freePages({ pages, pages_used, memory_mb }: CellState, size: number): number {
  const used = pages_used[size] ?? 0
  if (size !== smallKb) return (pages.find(page => page.size_kb === size)?.total ?? 0) - used
  const large = pages.reduce((sum, page) => sum + page.size_kb * page.total, 0)
  return Math.floor((memory_mb * 1024 - large) / size) - used
}

const pagesTold = (cell: CellState) =>
  [...cell.pages.map(({ size_kb }) => size_kb), smallKb]
    .map(size => `${freePages(cell, size)} of ${size} KiB`)
    .join(', ')

/** Devices for the requests; `cells` of a guest whose nearness to them matters. */
function pickDevices(
  requests: readonly PciRequest[],
  { devices, cells: all }: FitHost,
  cells: readonly FittedCell[] | undefined,
): { picked: Fit['devices'] } | { lacks: string } {
  const near = new Set(cells?.map(({ host_cell }) => host_cell))
  const sockets = new Set(all.filter(cell => near.has(cell.id)).map(cell => cell.socket))
  const isNear = (device: PciDevice) => device.cell !== undefined && near.has(device.cell)
  const may: Record<PciRequest['numa_policy'], (device: PciDevice) => boolean> = {
    required: isNear,
    legacy: device => device.cell === undefined || isNear(device),
    preferred: () => true,
    socket: device => all.some(cell => cell.id === device.cell && sockets.has(cell.socket)),
  }
  const picked: Fit['devices'] = []
  for (const request of requests) {
    const kind = devices.filter(
      device =>
        device.resource_class === request.resource_class &&
        request.traits.every(trait => device.traits.includes(trait)) &&
        !picked.some(other => other.device === device),
    )
    const usable = cells ? kind.filter(may[request.numa_policy]) : kind
    if (usable.length < request.count) {
      const where =
        usable.length < kind.length ? ` near the guest's cells (${request.numa_policy}), ${kind.length} in all` : ''
      return { lacks: `${usable.length} free of ${request.resource_class}${where}` }
    }
    const nearest = usable.toSorted((a, b) => Number(isNear(b)) - Number(isNear(a)))
    picked.push(...nearest.slice(0, request.count).map(device => ({ request, device })))
  }
  return { picked }
}
