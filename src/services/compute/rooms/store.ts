/** Rooms in the database: which cells, CPUs and devices of a host each guest has. A move's are those of its server at the source. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { Fit } from '../scheduler/fit.ts'

/** A NUMA cell of a guest, and the host's that it lies in. */
export interface GuestCellRow {
  /** A server's id or a move's uuid, as in placement. */
  consumer: string
  cell: number
  host: string
  host_cell: number
  memory_mb: number
  page_kb: number | null
  /** vCPUs without a CPU of their own. */
  shared_vcpus: number
  /** vCPUs on each core. */
  threads: number
}

/** A host's CPU that one guest has for itself. */
export interface PinnedCpuRow {
  host: string
  cpu: number
  consumer: string
  cell: number
  /** Null: for the emulator's threads. */
  vcpu: number | null
}

export interface ClaimedDeviceRow {
  host: string
  address: string
  consumer: string
  alias: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_guest_cells: GuestCellRow
    compute_pinned_cpus: PinnedCpuRow
    compute_claimed_devices: ClaimedDeviceRow
  }
}

const guestCells = rows<GuestCellRow>('compute_guest_cells')
const pinnedCpus = rows<PinnedCpuRow>('compute_pinned_cpus')
const claimedDevices = rows<ClaimedDeviceRow>('compute_claimed_devices')

/** What one guest has, or what of one host is taken. */
export interface Room {
  cells: GuestCellRow[]
  cpus: PinnedCpuRow[]
  devices: ClaimedDeviceRow[]
}

async function roomsWhere(ctx: Ctx, where: { consumer: string } | { host: readonly string[] }): Promise<Room> {
  const asc = <T extends string>(column: T) => ({ orderBy: [{ column, direction: 'asc' as const }] })
  return {
    cells: await guestCells.list(ctx.db, where, asc('cell')),
    cpus: await pinnedCpus.list(ctx.db, where, asc('cpu')),
    devices: await claimedDevices.list(ctx.db, where, asc('address')),
  }
}

export const roomOf = (ctx: Ctx, consumer: string): Promise<Room> => roomsWhere(ctx, { consumer })

/** By host, of those of which something is taken. */
export async function takenOf(ctx: Ctx, hosts: readonly string[]): Promise<ReadonlyMap<string, Room>> {
  const found = new Map<string, Room>()
  const at = (host: string) => {
    const room = found.get(host) ?? { cells: [], cpus: [], devices: [] }
    found.set(host, room)
    return room
  }
  const { cells, cpus, devices } = await roomsWhere(ctx, { host: hosts })
  for (const row of cells) at(row.host).cells.push(row)
  for (const row of cpus) at(row.host).cpus.push(row)
  for (const row of devices) at(row.host).devices.push(row)
  return found
}

/** What a fit takes of a host, as rows. */
export function roomFor(consumer: string, host: string, { cells, emulator, devices }: Fit): Room {
  return {
    cells: cells.map(({ id, host_cell, memory_mb, page_kb = null, shared_vcpus, threads }) => ({
      ...{ consumer, cell: id, host, host_cell, memory_mb, page_kb, shared_vcpus, threads },
    })),
    cpus: [
      ...cells.flatMap(({ id, pins }) =>
        Object.entries(pins).map(([vcpu, cpu]) => ({ host, cpu, consumer, cell: id, vcpu: Number(vcpu) })),
      ),
      ...emulator.map(cpu => ({ host, cpu, consumer, cell: 0, vcpu: null })),
    ],
    devices: devices.map(({ request, device }) => ({ host, address: device.address, consumer, alias: request.alias })),
  }
}

export async function putRoom(ctx: Ctx, { cells, cpus, devices }: Room): Promise<void> {
  await guestCells.insertMany(ctx.db, cells)
  await pinnedCpus.insertMany(ctx.db, cpus)
  await claimedDevices.insertMany(ctx.db, devices)
}

export async function dropRoom(ctx: Ctx, consumer: string): Promise<void> {
  await claimedDevices.remove(ctx.db, { consumer })
  // Most guests have neither, and without cells there are no CPUs.
  if ((await guestCells.remove(ctx.db, { consumer })) > 0) await pinnedCpus.remove(ctx.db, { consumer })
}

export async function passRoom(ctx: Ctx, from: string, to: string): Promise<void> {
  await claimedDevices.update(ctx.db, { consumer: from }, { consumer: to })
  if ((await guestCells.update(ctx.db, { consumer: from }, { consumer: to })) > 0)
    await pinnedCpus.update(ctx.db, { consumer: from }, { consumer: to })
}

export async function forgetRooms(ctx: Ctx, host: string): Promise<void> {
  for (const table of [guestCells, pinnedCpus, claimedDevices]) await table.remove(ctx.db, { host })
}
