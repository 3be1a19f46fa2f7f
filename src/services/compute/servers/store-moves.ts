/** What hosts need to know of the moves of servers. */
import type { Ctx } from '#kernel/context.ts'
import { openEvacuation, openStatuses } from './moves/move.ts'
import { moves } from './moves/store.ts'

/** Hosts where servers have room since they are on their way there; theirs are the others until they arrive. */
export async function destinationsOf(ctx: Ctx, ids: readonly string[]): Promise<string[]> {
  const found = await moves.pick(ctx.db, ['status', 'source_host', 'dest_host'], { server_id: ids, status: onTheWay })
  return found.flatMap(({ status, source_host, dest_host }) =>
    status === 'reverting' ? source_host : (dest_host ?? []),
  )
}

/** From the claim at the target on, until the server is there. */
const onTheWay = openStatuses.filter(status => !['accepted', 'finished', 'done'].includes(status))

/** Whether a server is on its way to or from the host, or its move waits to be decided. */
export async function hasOpenMoves(ctx: Ctx, host: string): Promise<boolean> {
  // An evacuation that is done needs only that the host comes back and cleans up.
  const status = openStatuses.filter(one => one !== 'done')
  if (await moves.find(ctx.db, { source_host: host, status })) return true
  return (await moves.find(ctx.db, { dest_host: host, status })) !== undefined
}

/** Whether a server is to be built anew elsewhere, since its host failed. */
export async function isEvacuated(ctx: Ctx, server_id: string): Promise<boolean> {
  return (await moves.find(ctx.db, { server_id, ...openEvacuation })) !== undefined
}

/** Whether servers were evacuated from the host, and it has not cleaned up after them. */
export async function wasEvacuated(ctx: Ctx, host: string): Promise<boolean> {
  return (await moves.find(ctx.db, { source_host: host, type: 'evacuation', status: 'done' })) !== undefined
}
