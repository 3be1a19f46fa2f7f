/** What a host is told of where a guest's memory and vCPUs lie, and which devices it has. */
import type { Ctx } from '#kernel/context.ts'
import type { GuestCellSpec, GuestSpec } from '../drivers/driver.ts'
import { cellsOfHost, configuredCpus } from '../hosts/steps.ts'
import { type Room, roomOf } from '../rooms/store.ts'
import type { GuestTopology } from '../scheduler/guest-topology.ts'
import { isYes } from '../scheduler/wishes.ts'
import { cpusOfServer, machineWishes } from './machine.ts'
import type { ServerRow } from './server.ts'

type MachineSpec = Pick<
  GuestSpec,
  'cpu_topology' | 'cells' | 'floating_cpus' | 'realtime_vcpus' | 'locked_memory' | 'devices'
>

/** `holder`: the consumer whose room it is, the server or a move of it. */
export async function machineSpec(ctx: Ctx, server: ServerRow, holder: string): Promise<MachineSpec> {
  const { flavor, image } = server
  const wishes = machineWishes(ctx, flavor, image)
  const room = wishes.topology || wishes.devices.length > 0 ? await roomOf(ctx, holder) : undefined
  const threads = room && room.cells.length > 0 ? Math.min(...room.cells.map(cell => cell.threads)) : 1
  const cpu_topology = cpusOfServer(flavor, image, threads)
  const locked = isYes(flavor.extra_specs['hw:locked_memory'] ?? image?.properties.hw_locked_memory)
  return {
    ...(cpu_topology.sockets !== flavor.vcpus && { cpu_topology }),
    ...(wishes.topology && room ? await whereItLies(ctx, wishes.topology, room) : anywhere(ctx)),
    ...(locked && { locked_memory: true }),
    ...(room && room.devices.length > 0 && { devices: room.devices.map(({ address }) => address) }),
  }
}

/** Of CPUs that are given out one by one other guests keep off. */
function anywhere(ctx: Ctx): Pick<MachineSpec, 'floating_cpus'> {
  const shared = configuredCpus(ctx, 'cpu_shared_set')
  return shared ? { floating_cpus: shared } : {}
}

async function whereItLies(ctx: Ctx, { cells, cpu }: GuestTopology, room: Room): Promise<MachineSpec> {
  const host = room.cells[0]?.host
  const offered = host === undefined ? [] : await cellsOfHost(ctx, host)
  const specs: GuestCellSpec[] = room.cells.flatMap(({ cell: id, host_cell, memory_mb, page_kb }) => {
    const vcpus = cells.find(each => each.id === id)?.vcpus
    if (!vcpus) return []
    const mine = room.cpus.filter(row => row.cell === id && row.vcpu !== null)
    const pins = Object.fromEntries(mine.map(({ vcpu, cpu: pinned }) => [vcpu!, pinned]))
    const shared_cpus = offered.find(each => each.id === host_cell)?.shared ?? []
    return { id, vcpus, memory_mb, host_cell, ...(page_kb !== null && { page_kb }), pins, shared_cpus }
  })
  const beside = besideOf(ctx, cpu.emulator, specs, room)
  return {
    cells: specs,
    ...(beside.length > 0 && { floating_cpus: beside }),
    ...(cpu.realtime.length > 0 && { realtime_vcpus: [...cpu.realtime] }),
  }
}

/** Where that runs which is no vCPU. */
function besideOf(ctx: Ctx, emulator: GuestTopology['cpu']['emulator'], cells: GuestCellSpec[], room: Room): number[] {
  if (emulator === 'isolate') return room.cpus.flatMap(({ vcpu, cpu }) => (vcpu === null ? [cpu] : []))
  const shared = emulator === 'share' ? configuredCpus(ctx, 'cpu_shared_set') : undefined
  const own = cells.flatMap(({ pins, shared_cpus, vcpus }) => [
    ...Object.values(pins),
    ...(Object.keys(pins).length < vcpus.length ? shared_cpus : []),
  ])
  return shared ?? [...new Set(own)].sort((a, b) => a - b)
}
