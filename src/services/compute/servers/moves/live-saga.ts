/** Moves a server while it runs. */
import type { Ctx } from '#kernel/context.ts'
import { saga } from '#kernel/saga/saga.ts'
import { tellAll } from '../../events.ts'
import { hostAgent, powerStates } from '../../host-agent.ts'
import { releaseRoom } from '../../rooms/steps.ts'
import type { ActionInput } from '../action.ts'
import { guestSpec } from '../guest-spec.ts'
import { callOptions, existingServer, requireChange, serverToUndo, undoAtHome } from '../steps.ts'
import { updateServer } from '../store.ts'
import { type Busy, bindToTarget, claimTarget, type Wish } from './claim.ts'
import type { MoveBody, MoveRow } from './move.ts'
import * as steps from './steps.ts'
import { updateMove } from './store.ts'
import { beginTidy } from './tidy.ts'

export interface LiveBody extends MoveBody {
  to: string | null
  forced: boolean
}

const task = { task_state: 'migrating' } as const
const busy: Busy = { with: ['migrating'] }
const binding: Busy = { ...busy, tell: ['live_migration.pre.end'] }

/** What upstream tells of the end, by both hosts. */
const ended = ['_post', 'post.dest'].flatMap(part => [`live_migration.${part}.start`, `live_migration.${part}.end`])
const rolledBack = ['_rollback', 'rollback.dest'].flatMap(part => [
  `live_migration.${part}.start`,
  `live_migration.${part}.end`,
])

export const liveSaga = saga<ActionInput<LiveBody>>(
  'compute.servers.live-migration',
  {
    revision: 1,
    deadline: steps.transferMs + 60 * 60_000,
    // Ended by those who may: an abort, or a delete, which looks after itself.
    failed: steps.moveFailed(rolledBack, ['migrating'], 'cancelled'),
  },
  async (s, input) => {
    const { ctx } = s
    const { server_id: id, body } = input
    const { to, forced } = body
    const wish: Wish = { needs: 'live_migrate', to, forced, status: 'preparing' }
    const at = await claimTarget(s, input, busy, () => wish)
    const { move, host: target, zone } = at
    const source = move.source_host
    await bindToTarget(s, at, binding, 'running')
    await s.step(
      `migrate to ${target}`,
      async signal => {
        const spec = await steps.specThere(ctx, move, target, signal)
        const to = await hostAgent(ctx, target).call('prepareIncoming', { spec }, callOptions(ctx, signal))
        await hostAgent(ctx, source).call('migrateLive', { id, to }, callOptions(ctx, signal, steps.transferMs))
      },
      () => migrateBack(ctx, move, target),
    )
    await s.last('settle', async tx => {
      const there = steps.settledOn(move, 'target', zone)
      requireChange(await updateServer(tx, id, { ...there, task_state: null, fault: null }, task), id)
      await releaseRoom(tx, move.uuid)
      await updateMove(tx, move.uuid, { status: 'completed' })
      await tellAll(tx, id, ended)
      await beginTidy(tx, { server_id: id, host: source })
    })
  },
)

/**
 * A guest that has arrived already goes back as it came; what began to come is removed. Where the guest is for certain is asked of one host, if
 * the other does not answer: only one that may have it alone is waited for.
 */
async function migrateBack(ctx: Ctx, move: MoveRow, target: string): Promise<void> {
  const { server_id: id, source_host: source } = move
  if (!(await serverToUndo(ctx, id))) return
  if (await steps.mayHave(ctx, target, id))
    await undoAtHome(ctx, id, async () => {
      const power = await hostAgent(ctx, source).call('state', { id }, callOptions(ctx, undefined))
      if (power === powerStates.nostate) await sendBack(ctx, move, target)
    })
  await steps.leaveTarget(ctx, move, target)
}

async function sendBack(ctx: Ctx, { server_id: id, source_host: source, uuid }: MoveRow, from: string): Promise<void> {
  const { signal } = new AbortController()
  await ctx.transaction(tx => tx.services.network.bindPorts(tx, id, source))
  const nics = await ctx.services.network.wire(ctx, id, source, signal)
  const spec = await guestSpec(ctx, await existingServer(ctx, id), nics, source, signal, uuid)
  await hostAgent(ctx, source).call('dropAside', { id }, callOptions(ctx, undefined))
  const to = await hostAgent(ctx, source).call('prepareIncoming', { spec }, callOptions(ctx, undefined))
  await hostAgent(ctx, from).call('migrateLive', { id, to }, callOptions(ctx, undefined, steps.transferMs))
}
