/** Makes sure that a host is off before its servers are built anew: by a saga that runs the operator's command, and whose record says how that ended. */
import { runCommand } from '#kernel/command.ts'
import type { Ctx } from '#kernel/context.ts'
import { keptSince } from '#kernel/housekeeping.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { saga } from '#kernel/saga/saga.ts'
import { computeConfig } from '../config.ts'
import type { HostRow } from '../hosts/host.ts'
import { hosts } from '../hosts/store.ts'
import type { FencingRow, FencingState } from './fencing.ts'
import { fencings, forgetFencings, lastFencing } from './store.ts'

interface Input {
  id: string
  host: string
  seen: string
}

interface End {
  state: FencingState
  result: string
  output: string
}

/** After one that failed. */
const againMs = 60_000
/** A command's own time is shorter. */
const deadlineMs = 2 * 3_600_000

const now = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

export const fencingSaga = saga<Input>(
  'compute.hosts.fence',
  {
    revision: 1,
    deadline: deadlineMs,
    failed: (ctx, input, error) => keepEnd(ctx, input, { state: 'failed', result: error.message, output: '' }),
  },
  async (s, input) => {
    // After a kill it may run again: to switch off what is off does no harm.
    const end = await s.step('run the fence command', signal => fence(s.ctx, input, signal))
    await s.last('keep the result', ctx => keepEnd(ctx, input, end))
  },
)

async function fence(ctx: Ctx, { host: name, seen }: Input, signal: AbortSignal): Promise<End> {
  const { fence_command: command, fence_timeout_seconds: seconds } = ctx.config.of(computeConfig).high_availability
  const [program, ...args] = command
  if (program === undefined) return { state: 'failed', result: 'no fence command is configured any more', output: '' }
  const host = await hosts.find(ctx.db, { name })
  if (host?.last_seen !== seen) return { state: 'failed', result: 'the host is back: it was not fenced', output: '' }
  ctx.log.warn({ host: name, command: program }, 'a failed host is fenced')
  const { ok, how, output } = await runCommand([program, ...args, name], {
    clock: ctx.clock,
    timeoutMs: seconds * 1000,
    signal,
  })
  // The process stops: the next one runs it again.
  signal.throwIfAborted()
  return { state: ok ? 'off' : 'failed', result: how, output }
}

async function keepEnd(ctx: Ctx, { id, host }: Input, end: End): Promise<void> {
  await fencings.update(ctx.db, { id }, { ...end, ended_at: now(ctx) })
  const { state, result } = end
  await ctx.events.emit(ctx, `host.fence.${state === 'off' ? 'end' : 'error'}`, host, { id, host, state, result })
  if (state === 'off') ctx.log.warn({ host, result }, 'a failed host is off for certain')
  else ctx.log.error({ host, result }, 'a failed host could not be fenced: its servers stay where they are')
}

/** Whether a host that is down is off for certain, as far as there is a command that knows: when not yet, it is told to. */
export async function isFenced(ctx: Ctx, host: HostRow): Promise<boolean> {
  if (ctx.config.of(computeConfig).high_availability.fence_command.length === 0) return true
  const last = await lastFencing(ctx, host.name)
  const isOfThisTime = last?.host_seen === host.last_seen
  if (isOfThisTime && last.state === 'off') return true
  if (last?.state === 'running') return false
  const failedLately = last?.state === 'failed' && ctx.clock.now() - Date.parse(last.ended_at!) < againMs
  if (!failedLately) await beginFencing(ctx, host)
  return false
}

async function beginFencing(ctx: Ctx, { name: host, last_seen }: HostRow): Promise<void> {
  const id = ctx.ids.uuid()
  const row: FencingRow = {
    ...{ id, host, state: 'running', host_seen: last_seen, result: null, output: null },
    ...{ created_at: now(ctx), ended_at: null },
  }
  await ctx.transaction(async tx => {
    await fencings.insert(tx.db, row)
    await tx.events.emit(tx, 'host.fence.start', host, { id, host, state: 'running', result: null })
    await tx.sagas.start(tx, fencingSaga, { id, host, seen: last_seen }, `fencing ${host}`)
  })
}

export const oldFencings = reconciler({
  id: 'compute.old-fencings',
  every: 3_600_000,
  run: ctx => forgetFencings(ctx, keptSince(ctx)),
})
