/** Steps that moves share: on their hosts, and in the server's row. */
import type { Ctx } from '#kernel/context.ts'
import type { SagaError, UndoClaim } from '#kernel/saga/saga.ts'
import { tellTaskError } from '../../choice-events.ts'
import type { GuestSpec } from '../../drivers/driver.ts'
import { faultFacts, tellAll } from '../../events.ts'
import { hostAgent, powerStates } from '../../host-agent.ts'
import type { ActionInput } from '../action.ts'
import { bringBack } from '../bring-back.ts'
import { guestSpec } from '../guest-spec.ts'
import { amountsOf } from '../resources.ts'
import type { ServerRow, TaskState } from '../server.ts'
import {
  callOptions,
  destroyGuest,
  existingServer,
  faultOf,
  isUnreachable,
  serverToUndo,
  stopping,
  toldMessage,
} from '../steps.ts'
import { updateServer } from '../store.ts'
import { forgetCleanup } from '../store-cleanups.ts'
import { isEvacuated } from '../store-moves.ts'
import type { MoveBody, MoveRow, MoveStatus } from './move.ts'
import { updateMove } from './store.ts'

/** Moving a disk takes its time. */
export const transferMs = 6 * 60 * 60_000

/** The guest as it will be on the host where its ports are bound. */
export async function specThere(ctx: Ctx, move: MoveRow, host: string, signal: AbortSignal): Promise<GuestSpec> {
  const nics = await ctx.services.network.wire(ctx, move.server_id, host, signal)
  const server = await existingServer(ctx, move.server_id)
  return guestSpec(ctx, { ...server, flavor: move.new_flavor }, nics, host, signal)
}

export async function makeRoom(ctx: Ctx, move: MoveRow, target: string, signal: AbortSignal): Promise<void> {
  const { server_id: id, source_host } = move
  if (target === source_host) await hostAgent(ctx, target).call('dropAside', { id }, callOptions(ctx, signal))
  else await clearHost(ctx, target, id, signal)
}

/** Nothing of the guest may be there from an earlier time, and no cleanup from then may be due: it would take what comes now. */
export async function clearHost(ctx: Ctx, host: string, id: string, signal: AbortSignal): Promise<void> {
  await hostAgent(ctx, host).call('destroy', { id }, callOptions(ctx, signal))
  await forgetCleanup(ctx, host, id)
}

export async function setAside(ctx: Ctx, { server_id: id, source_host }: MoveRow, signal: AbortSignal): Promise<void> {
  const { grace_seconds, waitMs } = stopping(ctx)
  await hostAgent(ctx, source_host).call('setAside', { id, grace_seconds }, callOptions(ctx, signal, waitMs))
}

/** Whether a host has the guest, or does not answer. */
export async function mayHave(ctx: Ctx, host: string, id: string): Promise<boolean> {
  try {
    return (await hostAgent(ctx, host).call('state', { id }, callOptions(ctx, undefined))) !== powerStates.nostate
  } catch (error) {
    if (isUnreachable(error)) return true
    throw error
  }
}

/** With the room that the move still holds at its source. */
export const bringBackToSource = (ctx: Ctx, move: MoveRow): Promise<void> =>
  bringBack(ctx, {
    id: move.server_id,
    host: move.source_host,
    runs: move.old_vm_state === 'active',
    row: { flavor: move.old_flavor },
    holder: move.uuid,
  })

/** What came to the target goes; on the source itself it goes when the old guest is brought back. */
export async function leaveTarget(ctx: Ctx, move: MoveRow, target: string): Promise<void> {
  if (target !== move.source_host && (await serverToUndo(ctx, move.server_id))) {
    await destroyGuest(ctx, target, move.server_id)
  }
}

export const powerOf = (running: boolean) => (running ? powerStates.running : powerStates.shutdown)

/** What the server is when nothing moves it any more: on that host, with that flavor. */
export function settledOn(move: MoveRow, where: 'source' | 'target', zone: string | null): Partial<ServerRow> {
  const flavor = where === 'source' ? move.old_flavor : move.new_flavor
  const place =
    where === 'source'
      ? { host: move.source_host, node: move.source_node }
      : { host: move.dest_host, node: move.dest_node }
  return { ...place, availability_zone: zone, flavor, flavor_id: flavor.id }
}

/** Ends a move that was undone: the server is free again, with its own amounts of the quota. */
export function moveFailed(events: readonly string[], tasks: readonly TaskState[], cancelled: MoveStatus = 'error') {
  return async (
    ctx: Ctx,
    { server_id, body }: ActionInput<MoveBody>,
    error: SagaError,
    undo: UndoClaim,
  ): Promise<void> => {
    const server = await serverToUndo(ctx, server_id)
    // A delete needs to know of the move, and ends it.
    if (!server) return
    const fault = faultOf(ctx, toldMessage(error), error.details)
    const patch = { task_state: null, ...amountsOf(server.image, server.flavor), ...(!error.cancelled && { fault }) }
    // What it had to make way for has set its own task and amounts; an abort has not.
    const madeWay = error.cancelled && cancelled !== 'cancelled'
    await undo('begin', async () => {
      await updateMove(ctx, body.move, { status: error.cancelled ? cancelled : 'error' })
      const taken = madeWay || (await isEvacuated(ctx, server_id))
      if (!taken) await updateServer(ctx, server_id, patch, { task_state: tasks })
    })
    const task = events.includes('rebuild.error') ? 'rebuild_server' : 'migrate_server'
    if (error.name === 'NoValidHost') await tellTaskError(ctx, task, server_id, faultFacts(error))
    await tellAll(ctx, server_id, events, { fault: faultFacts(error) })
  }
}
