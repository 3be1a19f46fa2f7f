/** Moves a server that is stopped for it, to another host, another flavor or both: resize and cold migration are one saga. */
import { type SagaRun, saga } from '#kernel/saga/saga.ts'
import { computeConfig } from '../../config.ts'
import { tell } from '../../events.ts'
import { hostAgent } from '../../host-agent.ts'
import type { ActionInput } from '../action.ts'
import { guestSpec } from '../guest-spec.ts'
import { diskIsLarger } from '../guest-works/run.ts'
import type { TaskState } from '../server.ts'
import { buildMs, callOptions, existingServer, requireChange } from '../steps.ts'
import { updateServer } from '../store.ts'
import { type Busy, bindToTarget, claimTarget } from './claim.ts'
import type { MoveBody } from './move.ts'
import * as steps from './steps.ts'
import { updateMove } from './store.ts'

export interface ColdBody extends MoveBody {
  /** The host that was asked for. */
  to: string | null
  resize: boolean
}

const tasks: TaskState[] = ['resize_prep', 'resize_migrating', 'resize_finish']
const claiming: Busy = { with: tasks, next: 'resize_migrating', tell: ['resize.prep.end', 'resize.start'] }
const binding: Busy = { with: tasks, next: 'resize_finish', tell: ['resize.end', 'finish_resize.start'] }
const deadlineMs = steps.transferMs + 60 * 60_000

function coldSaga(name: 'resize' | 'migrate') {
  return saga<ActionInput<ColdBody>>(
    `compute.servers.${name}`,
    { revision: 1, deadline: deadlineMs, failed: steps.moveFailed(['resize.error'], tasks) },
    run,
  )
}

async function run(s: SagaRun, input: ActionInput<ColdBody>): Promise<void> {
  const { ctx } = s
  const { server_id: id, body } = input
  const at = await claimTarget(s, input, claiming, tx => {
    const sameHost = body.resize && tx.config.of(computeConfig).allow_resize_to_same_host
    return { needs: 'migrate', to: body.to, sameHost, status: 'migrating' }
  })
  const { move, host: target, zone } = at
  const source = move.source_host
  await s.step(
    `set aside on ${source}`,
    signal => steps.setAside(ctx, move, signal),
    () => steps.bringBackToSource(ctx, move),
  )
  await s.step(
    `send to ${target}`,
    async signal => {
      const server = { ...(await existingServer(ctx, id)), flavor: move.new_flavor }
      const spec = await guestSpec(ctx, server, [], target, signal)
      const to = await hostAgent(ctx, target).call('prepareIncoming', { spec }, callOptions(ctx, signal))
      await hostAgent(ctx, source).call('sendAside', { id, to }, callOptions(ctx, signal, steps.transferMs))
    },
    () => steps.leaveTarget(ctx, move, target),
  )
  await bindToTarget(s, at, binding, 'post-migrating')
  const power_on = move.old_vm_state === 'active'
  await s.step(`start on ${target}`, async signal => {
    const spec = await steps.specThere(ctx, move, target, signal)
    const options = callOptions(ctx, signal, buildMs)
    await hostAgent(ctx, target).call('reshape', { spec, power_on, grace_seconds: 0 }, options)
  })
  await s.last('settle', async tx => {
    const launched_at = new Date(tx.clock.now()).toISOString()
    const there = { ...steps.settledOn(move, 'target', zone), power_state: steps.powerOf(power_on), launched_at }
    const resized = { ...there, vm_state: 'resized', task_state: null, fault: null } as const
    requireChange(await updateServer(tx, id, resized, { task_state: 'resize_finish' }), id)
    await updateMove(tx, move.uuid, { status: 'finished' })
    if (body.resize) await diskIsLarger(tx, id)
    await tell(tx, id, 'finish_resize.end')
  })
}

export const resizeSaga = coldSaga('resize')
export const migrateSaga = coldSaga('migrate')
