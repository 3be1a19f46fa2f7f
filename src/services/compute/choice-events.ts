/** Events of choosing hosts: that it began and ended, and that something could not be done for want of a host. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from './config.ts'
import type { FaultFacts } from './events.ts'
import type { PlacingRequest } from './servers/placing.ts'
import type { RequestSpec, ServerFlavor, ServerImage, VmState } from './servers/server.ts'
import { requestSpecOf } from './servers/store.ts'
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

function choiceFacts(request: PlacingRequest, ids: readonly string[]): ChoiceFacts {
  const { flavor, image, spec, ignore, project_id, user_id } = request
  const shown = image && shownImage(image)
  return { server_id: ids[0]!, project_id, user_id, flavor, image: shown, spec, ignore, count: ids.length }
}

/** Only where the configuration wants it: hosts are chosen often. */
export async function tellChoice(ctx: Ctx, phase: 'start' | 'end', request: PlacingRequest, ids: readonly string[]) {
  if (!ctx.config.of(computeConfig).notify_scheduling || ids.length === 0) return
  const facts = choiceFacts(request, ids)
  await ctx.events.emit(ctx, `scheduler.select_destinations.${phase}`, facts.server_id, { ...facts })
}

/** In the transaction that puts the server as it is from then on. */
export async function tellTaskError(ctx: Ctx, name: TaskName, server_id: string, fault: FaultFacts): Promise<void> {
  const server = await findServer(ctx, server_id)
  const spec = await requestSpecOf(ctx, server_id)
  const choice = server && spec ? choiceFacts({ ...server, spec, ignore: [] }, [server_id]) : null
  const facts: TaskFacts = { choice, server_id, state: server?.vm_state ?? 'error', fault }
  await ctx.events.emit(ctx, `compute_task.${name}.error`, server_id, { ...facts })
}
