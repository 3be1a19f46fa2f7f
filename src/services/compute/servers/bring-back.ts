/** The undo of what took a guest's disks aside. */
import type { Ctx } from '#kernel/context.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { guestSpec } from './guest-spec.ts'
import type { ServerRow } from './server.ts'
import { callOptions, serverToUndo, undoAtHome } from './steps.ts'

export interface GuestBefore {
  id: string
  host: string
  runs: boolean
  /** What the server had then and has no more. */
  row: Partial<ServerRow>
  /** Who holds its room on the host: the server by default. */
  holder?: string
}

/** The guest is on its host again as it was, and runs if it did. For one that is nowhere any more nothing can be done: the server follows it, into ERROR. */
export async function bringBack(ctx: Ctx, before: GuestBefore): Promise<void> {
  await undoAtHome(ctx, before.id, () => backAtHome(ctx, before))
}

async function backAtHome(ctx: Ctx, { id, host, runs, row, holder }: GuestBefore): Promise<void> {
  const server = await serverToUndo(ctx, id)
  if (!server) return
  const agent = hostAgent(ctx, host)
  await agent.call('bringBack', { id }, callOptions(ctx, undefined))
  if (!runs) return
  if ((await agent.call('state', { id }, callOptions(ctx, undefined))) === powerStates.nostate) return
  const { signal } = new AbortController()
  const nics = await ctx.services.network.wire(ctx, id, host, signal)
  const spec = await guestSpec(ctx, { ...server, ...row }, nics, host, signal, holder)
  await agent.call('start', { spec }, callOptions(ctx, undefined, 300_000))
}
