/** Deferred deletion: a server that is deleted is switched off and kept for a while, so that it can be restored. */
import type { Ctx } from '#kernel/context.ts'
import { projectMemberOrAdmin, rule } from '#kernel/policy/rule.ts'
import { computeConfig } from '../config.ts'
import type { PowerState } from '../drivers/driver.ts'
import { hostAgent, powerStates } from '../host-agent.ts'
import { actionSaga, beginAction, begunAction } from './action.ts'
import { admitted } from './quota.ts'
import type { Recovery, ServerRow, VmState } from './server.ts'
import { allowed } from './states.ts'
import { callOptions, currentSpec, serverToUndo, stopping } from './steps.ts'
import { updateServer } from './store.ts'

/** What the server was before. */
interface Before {
  vm_state: VmState
  recovery: Recovery | null
}

const on: readonly PowerState[] = [powerStates.running, powerStates.paused]

export const softDeleteSaga = actionSaga<Before>({
  name: 'softDelete',
  event: 'soft_delete',
  async run(s, { server_id: id, host, body: { vm_state, recovery } }) {
    const { ctx } = s
    const power = await s.step('look at guest', signal =>
      hostAgent(ctx, host).call('state', { id }, callOptions(ctx, signal)),
    )
    await s.step(
      'stop guest',
      async signal => {
        if (on.includes(power)) await switchOff(ctx, host, id, signal)
      },
      async () => {
        if (on.includes(power) && (await serverToUndo(ctx, id))) await switchOn(ctx, host, id)
      },
    )
    const at = await s.record('look at the clock', async tx => new Date(tx.clock.now()).toISOString())
    const suspended = power === powerStates.suspended
    // A restore that was given up left what it was before.
    const was = recovery?.soft_deleted?.vm_state ?? (suspended ? 'suspended' : vm_state)
    return {
      vm_state: 'soft-delete',
      power_state: on.includes(power) ? powerStates.shutdown : power,
      recovery: { ...recovery, soft_deleted: { vm_state: was, at } },
    }
  },
  undone: (ctx, { server_id, body }) => putBack(ctx, server_id, body),
})

async function putBack(ctx: Ctx, id: string, { vm_state, recovery }: Before): Promise<void> {
  await updateServer(ctx, id, { vm_state, recovery })
}

async function switchOff(ctx: Ctx, host: string, id: string, signal: AbortSignal | undefined): Promise<void> {
  const { grace_seconds, waitMs } = stopping(ctx)
  await hostAgent(ctx, host).call('stop', { id, grace_seconds }, callOptions(ctx, signal, waitMs))
}

async function switchOn(ctx: Ctx, host: string, id: string, signal = new AbortController().signal): Promise<void> {
  const spec = await currentSpec(ctx, id, host, signal)
  await hostAgent(ctx, host).call('start', { spec }, callOptions(ctx, signal, 300_000))
}

/** Whether a delete of the server leaves it restorable: its deletion is deferred, and there is something to come back to. */
export function defers(ctx: Ctx, { vm_state, task_state, host, launched_at }: ServerRow): boolean {
  if (ctx.config.of(computeConfig).reclaim_instance_seconds === 0) return false
  const { from, over = [], task } = allowed.softDelete
  const free = task_state === null || task_state === task || over.includes(task_state)
  return host !== null && launched_at !== null && from.includes(vm_state) && free
}

/** In a transaction. A server that is deleted so already stays as it is. */
export async function beginSoftDelete(ctx: Ctx, server: ServerRow): Promise<void> {
  const { vm_state, task_state, recovery } = server
  if (task_state === 'soft-deleting' || (vm_state === 'soft-delete' && task_state === null)) return
  const body = { vm_state, recovery }
  await beginAction(ctx, server, { name: 'softDelete', event: 'soft_delete', saga: softDeleteSaga, body })
}

/** States that a server comes back to as it was; from all others it comes back running. */
const atRest: readonly VmState[] = ['suspended', 'shelved']

const restoreSaga = actionSaga<Before>({
  name: 'restore',
  event: 'restore',
  async run(s, { server_id: id, host, body: { recovery } }) {
    const { soft_deleted, ...rest } = recovery ?? {}
    const was = soft_deleted?.vm_state ?? 'active'
    const others = Object.keys(rest).length > 0 ? rest : null
    if (atRest.includes(was)) return { vm_state: was, recovery: others }
    await s.step(
      'start guest',
      signal => switchOn(s.ctx, host, id, signal),
      async () => {
        if (await serverToUndo(s.ctx, id)) await switchOff(s.ctx, host, id, undefined)
      },
    )
    const vm_state = was === 'rescued' ? was : 'active'
    return { vm_state, power_state: powerStates.running, recovery: others, fault: null }
  },
  undone: (ctx, { server_id, body }) => putBack(ctx, server_id, body),
})

export const restore = begunAction({
  id: 'compute.servers.restore',
  name: 'restore',
  summary: 'Bring a server back whose deletion was deferred',
  policy: rule('os_compute_api:os-deferred-delete:restore', projectMemberOrAdmin),
  saga: restoreSaga,
  async begin(tx, server) {
    const { vm_state, recovery, vcpus, memory_mb, disk_gb } = server
    await admitted(tx, server.project_id, { vcpus, memory_mb, disk_gb, min_count: 1, max_count: 1 })
    const body = { vm_state, recovery }
    await beginAction(tx, server, { name: 'restore', event: 'restore', saga: restoreSaga, body })
  },
})
