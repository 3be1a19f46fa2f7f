/** What becomes of a resized server: confirmed, it stays as it is; reverted, it is what it was. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { saga } from '#kernel/saga/saga.ts'
import { Type } from '#kernel/schema/builders.ts'
import { faultFacts, tell } from '../../events.ts'
import { hostAgent, powerStates } from '../../host-agent.ts'
import { isUp } from '../../hosts/host.ts'
import { hosts } from '../../hosts/store.ts'
import { handOverRoom, releaseRoom } from '../../rooms/steps.ts'
import {
  type ActionInput,
  actionOperation,
  beginAction,
  begunAction,
  claimTask,
  recordAction,
  requireAllowed,
} from '../action.ts'
import { amountsOf } from '../resources.ts'
import type { ServerRow } from '../server.ts'
import { callOptions, destroyGuest, existingServer, isUnreachable, serverToUndo } from '../steps.ts'
import { findServer, updateServer } from '../store.ts'
import { consumer } from './claim.ts'
import type { MoveBody, MoveRow } from './move.ts'
import * as steps from './steps.ts'
import { existingMove, moveIn, moves, updateMove } from './store.ts'
import { beginTidy } from './tidy.ts'

const deadlineMs = 60 * 60_000
const notResized = () => new BadRequest('Instance has not been resized.')

/** In a transaction: the old guest's room is free, and its disks go soon. Nothing is done when somebody was faster. */
export async function confirmMove(ctx: Ctx, server: ServerRow, move: MoveRow): Promise<void> {
  const vm_state = server.power_state === powerStates.shutdown ? 'stopped' : 'active'
  const settled = { vm_state, ...amountsOf(server.image, server.flavor) } as const
  if (!(await updateServer(ctx, server.id, settled, { vm_state: 'resized', task_state: null }))) return
  await recordAction(ctx, 'confirmResize', server.id)
  await tell(ctx, server, 'resize.confirm.start')
  await letGoOfSource(ctx, move)
  await tell(ctx, server.id, 'resize.confirm.end')
}

async function letGoOfSource(ctx: Ctx, { uuid, server_id, source_host: host }: MoveRow): Promise<void> {
  await releaseRoom(ctx, uuid)
  await updateMove(ctx, uuid, { status: 'confirmed' })
  await beginTidy(ctx, { server_id, host })
}

/** In the transaction that gives a server another state, after that: its owner can decide no more, so a resize that waits for it is kept. */
export async function keepResized(ctx: Ctx, id: string): Promise<void> {
  const move = await moveIn(ctx, id, ['finished'])
  if (!move) return
  const server = await existingServer(ctx, id)
  await updateServer(ctx, id, amountsOf(server.image, server.flavor))
  await letGoOfSource(ctx, move)
}

/** Confirms a move, if that still waits for it. */
export async function confirmResized(ctx: Ctx, uuid: string, id: string): Promise<void> {
  await ctx.transaction(async tx => {
    const move = await moves.find(tx.db, { uuid, status: 'finished' })
    const server = await findServer(tx, id)
    if (move && server?.vm_state === 'resized' && server.task_state === null) await confirmMove(tx, server, move)
  })
}

export const confirmResize = actionOperation({
  id: 'compute.servers.confirm_resize',
  key: 'confirmResize',
  summary: 'Keep a resized server as it is',
  policy: rule('os_compute_api:servers:confirm_resize', projectMemberOrAdmin),
  body: Type.Unknown(),
  async handle(ctx, server) {
    requireAllowed(ctx, server, 'confirmResize')
    await ctx.transaction(async tx => {
      await claimTask(tx, server, 'confirmResize')
      const move = await moveIn(tx, server.id, ['finished'])
      if (!move) throw notResized()
      await requireSourceUp(tx, move)
      await confirmMove(tx, server, move)
    })
    return reply(undefined, { status: 204 })
  },
})

/** Either decision is carried out there. */
async function requireSourceUp(ctx: Ctx, { source_host: name }: MoveRow): Promise<void> {
  const host = await hosts.find(ctx.db, { name })
  if (host && !isUp(ctx, host)) throw new Conflict('Service is unavailable at this time.')
}

/** Pauses before a host that does not answer is asked again; the last is repeated. */
const askAgainMs = [200, 1_000, 5_000]

/** The guest is nowhere else any more: a host that does not answer is waited for as long as the saga may take. */
async function bringBack(ctx: Ctx, move: MoveRow, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await steps.bringBackToSource(ctx, move)
    } catch (error) {
      if (ctx.sagas.stopping || !isUnreachable(error)) throw error
      await ctx.clock.sleep(askAgainMs[attempt] ?? askAgainMs.at(-1)!, signal)
    }
  }
}

/** How the first step begins: if it fails, nothing has changed. */
const leave = 'leave'

/** Goes forward only: each step may be done again, so what failed is asked for once more. */
const revertSaga = saga<ActionInput<MoveBody>>(
  'compute.servers.revertResize',
  {
    revision: 1,
    deadline: deadlineMs,
    async failed(ctx, { server_id, body }, error) {
      const server = await serverToUndo(ctx, server_id)
      if (!server) return
      if (error.step?.startsWith(leave)) {
        await updateMove(ctx, body.move, { status: 'finished' })
        if (server.vm_state !== 'resized') await keepResized(ctx, server_id)
      }
      await updateServer(ctx, server_id, { task_state: null }, { task_state: 'resize_reverting' })
      await tell(ctx, server_id, 'resize.revert.error', { fault: faultFacts(error) })
    },
  },
  async (s, { server_id: id, body }) => {
    const { ctx } = s
    const move = await existingMove(ctx, body.move)
    const { source_host: source, dest_host: target } = move
    await s.step(`${leave} ${target}`, async signal => {
      if (target === null || target === source) return
      // A host that may be away for long must not cost a server that runs.
      if (await steps.mayHave(ctx, target, id))
        await hostAgent(ctx, source).call('state', { id }, callOptions(ctx, signal))
      // Two of it must not run at once.
      await destroyGuest(ctx, target, id)
    })
    await s.record(`bind ports to ${source}`, async tx => {
      await tx.services.network.bindPorts(tx, id, source)
    })
    await s.step(`bring back on ${source}`, signal => bringBack(ctx, move, signal))
    await s.last('settle', async tx => {
      const server = await existingServer(tx, id)
      const vm_state = move.old_vm_state
      const power_state = steps.powerOf(vm_state === 'active')
      const back = { ...steps.settledOn(move, 'source', move.old_zone), ...amountsOf(server.image, move.old_flavor) }
      // That it is there is so, whatever its state was set to meanwhile.
      await updateServer(tx, id, { ...back, power_state })
      await updateServer(tx, id, { vm_state, task_state: null, fault: null }, { task_state: 'resize_reverting' })
      await releaseRoom(tx, id)
      await handOverRoom(tx, move.uuid, consumer(server, id, 'INSTANCE'))
      await updateMove(tx, move.uuid, { status: 'reverted' })
      await tell(tx, id, 'resize.revert.end')
    })
  },
)

export const revertResize = begunAction({
  id: 'compute.servers.revert_resize',
  name: 'revertResize',
  summary: 'Make a resized server what it was',
  policy: rule('os_compute_api:servers:revert_resize', projectMemberOrAdmin),
  saga: revertSaga,
  async begin(tx, server) {
    const move = await moveIn(tx, server.id, ['finished', 'reverting'])
    if (!move) throw notResized()
    if (move.status === 'finished') await requireSourceUp(tx, move)
    const body = { move: move.uuid }
    await beginAction(tx, server, { name: 'revertResize', event: 'resize.revert', saga: revertSaga, body })
    await updateMove(tx, move.uuid, { status: 'reverting' })
  },
})
