/** Moves a server that is stopped for it, to another host, another flavor or both: resize and cold migration are one saga. */
import { type SagaRun, saga } from '#kernel/saga/saga.ts'
import { computeConfig } from '../../config.ts'
import { hostAgent } from '../../host-agent.ts'
import type { ActionInput } from '../action.ts'
import { guestSpec } from '../guest-spec.ts'
import type { TaskState } from '../server.ts'
import { callOptions, existingServer } from '../steps.ts'
import { updateServer } from '../store.ts'
import { claim, granted, requireChange, unclaim } from './claim.ts'
import type { MoveBody } from './move.ts'
import * as steps from './steps.ts'
import { existingMove, updateMove } from './store.ts'

export interface ColdBody extends MoveBody {
  /** The host that was asked for. */
  to: string | null
  resize: boolean
}

const tasks: TaskState[] = ['resize_prep', 'resize_migrating', 'resize_finish']
const deadlineMs = steps.transferMs + 60 * 60_000

function coldSaga(name: 'resize' | 'migrate') {
  return saga<ActionInput<ColdBody>>(
    `compute.servers.${name}`,
    { revision: 1, deadline: deadlineMs, failed: steps.moveFailed('resize', tasks) },
    run,
  )
}

async function run(s: SagaRun, { server_id: id, body }: ActionInput<ColdBody>): Promise<void> {
  const { ctx } = s
  const claimed = await s.record(
    'claim',
    async tx => {
      requireChange(await updateServer(tx, id, { task_state: 'resize_migrating' }, { task_state: tasks }), id)
      const sameHost = body.resize && tx.config.of(computeConfig).allow_resize_to_same_host
      return claim(tx, body.move, { needs: 'migrate', to: body.to, sameHost, status: 'migrating' })
    },
    (tx, output) => unclaim(tx, body.move, output),
  )
  const { host: target, zone } = granted(claimed)
  const move = await existingMove(ctx, body.move)
  const source = move.source_host
  await s.step(`make room on ${target}`, signal => steps.makeRoom(ctx, move, target, signal))
  await s.step(
    `set aside on ${source}`,
    signal => steps.setAside(ctx, move, signal),
    () => steps.bringBack(ctx, move),
  )
  await s.step(
    `send to ${target}`,
    async signal => {
      const spec = await guestSpec(ctx, { ...(await existingServer(ctx, id)), flavor: move.new_flavor }, [])
      const to = await hostAgent(ctx, target).call('prepareIncoming', { spec }, callOptions(ctx, signal))
      await hostAgent(ctx, source).call('sendAside', { id, to }, callOptions(ctx, signal, steps.transferMs))
    },
    () => steps.leaveTarget(ctx, move, target),
  )
  await s.record(
    `bind ports to ${target}`,
    async tx => {
      requireChange(await updateServer(tx, id, { task_state: 'resize_finish' }, { task_state: tasks }), id)
      await tx.services.network.bindPorts(tx, id, target)
      await updateMove(tx, move.uuid, { status: 'post-migrating' })
    },
    async tx => {
      await tx.services.network.bindPorts(tx, id, source)
    },
  )
  const power_on = move.old_vm_state === 'active'
  await s.step(`start on ${target}`, async signal => {
    const spec = await steps.specThere(ctx, move, target, signal)
    const options = callOptions(ctx, signal, 20 * 60_000)
    await hostAgent(ctx, target).call('reshape', { spec, power_on, grace_seconds: 0 }, options)
  })
  await s.record(
    'settle',
    async tx => {
      const launched_at = new Date(tx.clock.now()).toISOString()
      const there = { ...steps.settledOn(move, 'target', zone), power_state: steps.powerOf(power_on), launched_at }
      const resized = { ...there, vm_state: 'resized', task_state: null, fault: null } as const
      requireChange(await updateServer(tx, id, resized, { task_state: 'resize_finish' }), id)
      await updateMove(tx, move.uuid, { status: 'finished' })
      await tx.events.emit(tx, 'compute.instance.resize.end', id, {})
    },
    async tx => {
      const back = { ...steps.settledOn(move, 'source', move.old_zone), power_state: steps.powerOf(power_on) }
      await updateServer(
        tx,
        id,
        { ...back, vm_state: move.old_vm_state, task_state: 'resize_finish' },
        { vm_state: 'resized' },
      )
    },
  )
}

export const resizeSaga = coldSaga('resize')
export const migrateSaga = coldSaga('migrate')
