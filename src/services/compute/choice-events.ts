/** Events of choosing hosts: that it began and ended, and that something could not be done for want of a host. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { computeConfig } from './config.ts'
import type { FaultFacts } from './events.ts'
import type { GroupFacts } from './resource-events.ts'
import type { CpuPolicy } from './scheduler/cpu-policy.ts'
import type { GuestCell, GuestTopology, PageSize } from './scheduler/guest-topology.ts'
import type { PciRequest } from './scheduler/pci.ts'
import { membersOf, serverGroups } from './server-groups/store.ts'
import { type MachineWishes, machineWishes } from './servers/machine.ts'
import type { PlacingRequest } from './servers/placing.ts'
import type { RequestSpec, ServerFlavor, ServerImage, VmState } from './servers/server.ts'
import { requestSpecOf } from './servers/store-asked.ts'
import { findServer } from './servers/store-servers.ts'

/** What was asked of the scheduler. */
export interface ChoiceFacts {
  server_id: string
  project_id: string
  user_id: string
  flavor: ServerFlavor
  image: Pick<ServerImage, 'id' | 'name' | 'disk_format' | 'min_disk' | 'min_ram' | 'size'> | null
  spec: RequestSpec
  ignore: string[]
  count: number
  group: GroupFacts | null
  cells: CellFacts[] | null
  emulator_threads: string | null
  devices: PciRequest[]
}

/** A NUMA cell of the guest. */
export interface CellFacts {
  id: number
  memory_mb: number
  page_size: PageSize | null
  shared: number[]
  dedicated: number[]
  policy: CpuPolicy
  threads: string | null
}

export interface TaskFacts {
  choice: ChoiceFacts | null
  server_id: string
  state: VmState
  fault: FaultFacts
}

export type TaskName = 'build_instances' | 'migrate_server' | 'rebuild_server' | 'unshelve_instance'

const shownImage = ({ id, name, disk_format, min_disk, min_ram, size }: ServerImage): ChoiceFacts['image'] => ({
  id,
  name,
  disk_format,
  min_disk,
  min_ram,
  size,
})

async function choiceFacts(ctx: Ctx, request: PlacingRequest, ids: readonly string[]): Promise<ChoiceFacts> {
  const { flavor, image, spec, ignore, project_id, user_id } = request
  const shown = image && shownImage(image)
  const group = spec.group_id === null ? null : await groupFacts(ctx, spec.group_id)
  const { topology, devices } = understood(ctx, request)
  return {
    ...{ server_id: ids[0]!, project_id, user_id, flavor, image: shown, spec, ignore, count: ids.length },
    ...{ group, cells: topology ? topology.cells.map(cell => cellFacts(topology, cell)) : null },
    ...{ emulator_threads: topology?.cpu.emulator ?? null, devices },
  }
}

/** What is asked for in words that nobody knows any more (a PCI alias that is not configured now) fails for that, and is told of all the same. */
function understood(ctx: Ctx, { flavor, image }: PlacingRequest): MachineWishes {
  try {
    return machineWishes(ctx, flavor, image)
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    return { topology: undefined, devices: [] }
  }
}

function cellFacts({ page_size, cpu }: GuestTopology, { id, vcpus, memory_mb }: GuestCell): CellFacts {
  const [dedicated, shared] = [
    vcpus.filter(one => cpu.dedicated.has(one)),
    vcpus.filter(one => !cpu.dedicated.has(one)),
  ]
  const { policy, threads = null } = cpu
  return { id, memory_mb, page_size: page_size ?? null, shared, dedicated, policy, threads }
}

async function groupFacts(ctx: Ctx, id: string): Promise<GroupFacts | null> {
  const row = await serverGroups.find(ctx.db, { id })
  if (!row) return null
  const { created_at: _created, ...facts } = row
  return { ...facts, members: (await membersOf(ctx, [id])).get(id)! }
}

/** Only where the configuration wants it: hosts are chosen often. */
export async function tellChoice(ctx: Ctx, phase: 'start' | 'end', request: PlacingRequest, ids: readonly string[]) {
  if (!ctx.config.of(computeConfig).notify_scheduling || ids.length === 0) return
  const facts = await choiceFacts(ctx, request, ids)
  await ctx.events.emit(ctx, `scheduler.select_destinations.${phase}`, facts.server_id, { ...facts })
}

/** In the transaction that puts the server as it is from then on. */
export async function tellTaskError(ctx: Ctx, name: TaskName, server_id: string, fault: FaultFacts): Promise<void> {
  const server = await findServer(ctx, server_id)
  const spec = await requestSpecOf(ctx, server_id)
  const choice = server && spec ? await choiceFacts(ctx, { ...server, spec, ignore: [] }, [server_id]) : null
  const facts: TaskFacts = { choice, server_id, state: server?.vm_state ?? 'error', fault }
  await ctx.events.emit(ctx, `compute_task.${name}.error`, server_id, { ...facts })
}
