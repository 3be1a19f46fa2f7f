/** Acts that several sagas of servers share: on the server's host, its ports and its row. */
import { CallTimeout, NoResponder } from '#kernel/bus/bus.ts'
import { UnsupportedVersion } from '#kernel/bus/methods.ts'
import type { Ctx } from '#kernel/context.ts'
import { Conflict, Fault, messageOf } from '#kernel/errors.ts'
import type { SagaError, UndoClaim } from '#kernel/saga/saga.ts'
import { computeConfig } from '../config.ts'
import type { GuestSpec, Keep } from '../drivers/driver.ts'
import { hostAgent } from '../host-agent.ts'
import { releaseRoom } from '../rooms/steps.ts'
import { guestSpec } from './guest-spec.ts'
import type { ServerFault, ServerRow } from './server.ts'
import { findServer } from './store.ts'
import { forgetCleanup, rememberCleanup } from './store-cleanups.ts'
import { isEvacuated } from './store-moves.ts'
import { releaseVolumes } from './volumes.ts'

/** Tries at destroying a guest before it is left to the cleanup of its host. */
const destroyAttempts = 3

/** The server of a running saga; a saga of a server that is gone has nothing left to do. */
export async function existingServer(ctx: Ctx, id: string): Promise<ServerRow> {
  const server = await findServer(ctx, id)
  if (!server) throw new Error(`server ${id} is gone`)
  return server
}

/** The server of an undo; undefined when it is gone or going: its delete cleans up, everywhere. */
export async function serverToUndo(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  const server = await findServer(ctx, id)
  return server?.task_state === 'deleting' ? undefined : server
}

/** Throws when a saga's server is not busy with it any more: someone deletes it, or reset its state. */
export function requireChange(changed: boolean, id: string): void {
  if (!changed) throw new Conflict(`Instance ${id} is busy with something else now.`)
}

/**
 * What an undo does on the server's own host. One that does not answer is waited for, unless the server is built anew elsewhere: then nothing of
 * it stays there, and its evacuation waits for this undo. For what is found again should the evacuation fail, as disks that are aside are, and
 * what the server follows; for all else there is `homeUndo`.
 */
export async function undoAtHome(ctx: Ctx, id: string, undo: () => Promise<void>): Promise<void> {
  try {
    await undo()
  } catch (error) {
    if (!isUnreachable(error) || !(await isEvacuated(ctx, id))) throw error
  }
}

/** How long a host may take to make a guest, with the disks that it has to fetch and to convert. */
export const buildMs = 20 * 60_000

/** What calls to hosts are given, `waitMs` from now at most. */
export const callOptions = (ctx: Ctx, signal: AbortSignal | undefined, waitMs = 60_000) => ({
  ...(signal && { signal }),
  request: ctx,
  deadline: ctx.clock.now() + waitMs,
})

/** Longer than any guest takes that is stopped with grace. */
export function stopping(ctx: Ctx): { grace_seconds: number; waitMs: number } {
  const grace_seconds = ctx.config.of(computeConfig).stop_grace_seconds
  return { grace_seconds, waitMs: (grace_seconds + 300) * 1000 }
}

/** What the host needs to start the guest, with its ports as they are wired now. */
export async function currentSpec(ctx: Ctx, id: string, host: string, signal: AbortSignal): Promise<GuestSpec> {
  const nics = await ctx.services.network.wire(ctx, id, host, signal)
  return guestSpec(ctx, await existingServer(ctx, id), nics, host, signal)
}

/** True when the host's agent does not answer: nothing is known of what it did. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof NoResponder || error instanceof CallTimeout
}

/** Destroys a guest, its disks being kept for a while or not. When its host cannot do that now, the cleanup of hosts does it later, for certain. */
export async function destroyGuest(ctx: Ctx, host: string, id: string, keep?: Keep): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await hostAgent(ctx, host).call('destroy', { id, ...(keep && { keep }) }, { request: ctx })
      await ctx.services.volume?.disconnect(ctx, id, host)
      return await forgetCleanup(ctx, host, id)
    } catch (error) {
      if (ctx.sagas.stopping) throw error
      if (!isUnreachable(error) && attempt < destroyAttempts) {
        await ctx.clock.sleep(1000 * attempt)
        continue
      }
      ctx.log.warn({ err: messageOf(error), host, server_id: id }, 'guest not destroyed now; left to the host cleanup')
      return rememberCleanup(ctx, host, id)
    }
  }
}

/** Frees what a server holds of the network, of volumes and of its host's room. */
export async function releaseClaims(
  ctx: Ctx,
  id: string,
  undo: UndoClaim = async (_name, act) => void (await act()),
): Promise<void> {
  // In the order in which they are claimed.
  await undo('claim room', () => releaseRoom(ctx, id))
  await undo('claim ports', () => ctx.services.network.releasePorts(ctx, id))
  await undo('claim volumes', () => releaseVolumes(ctx, id))
}

/** Names of errors whose message was written for users. */
const toldErrors = ['GuestError', 'NoValidHost']

/** A failure as users may read it: messages that were not written for them stay with the admins. */
export function toldMessage({ name, message }: { name: string; message: string }): string {
  return toldErrors.includes(name) || name in faultNames ? message : name
}

const faultNames: Record<string, true> = Object.fromEntries(
  ['Fault', 'BadRequest', 'Forbidden', 'OverQuota', 'NotFound', 'Conflict', 'Unavailable', 'NotImplemented'].map(n => [
    n,
    true,
  ]),
)

export function faultOf(ctx: Ctx, message: string, details: string, code = 500): ServerFault {
  return { code, message: message.slice(0, 255), details, created: new Date(ctx.clock.now()).toISOString() }
}

export function faultOfSaga(ctx: Ctx, error: SagaError, prefix = ''): ServerFault {
  return faultOf(
    ctx,
    `${prefix}${toldMessage(error)}`,
    `${error.step ? `In step "${error.step}": ` : ''}${error.details}`,
  )
}

/** Whether another host may do better after this error of a host. */
export function mayRetryElsewhere(error: unknown): boolean {
  if (isUnreachable(error) || error instanceof UnsupportedVersion) return true
  return error instanceof Fault && error.extra.retry_elsewhere === true
}
