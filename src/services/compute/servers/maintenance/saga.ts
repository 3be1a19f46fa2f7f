/** Carries a maintenance out: a few servers at a time, each by a saga of its own. All that it knows is in its rows, so it goes on after a kill. */
import type { Ctx } from '#kernel/context.ts'
import { DatabaseOutage } from '#kernel/db/outage.ts'
import { messageOf } from '#kernel/errors.ts'
import { saga } from '#kernel/saga/saga.ts'
import { computeConfig } from '../../config.ts'
import { changeHost } from '../../hosts/steps.ts'
import { hosts } from '../../hosts/store.ts'
import type { ServerRow } from '../server.ts'
import { findServer, serversOn } from '../store.ts'
import { beginAct, endOf, refusalOf, wayOf } from './acts.ts'
import { type MaintainedRow, type MaintainedState, type MaintenanceRow, nameOf } from './maintenance.ts'
import {
  addServers,
  endMaintenance,
  existingMaintenance,
  failGoing,
  leaveWaiting,
  maintenances,
  serversOf,
  updateMaintained,
} from './store.ts'

interface Input {
  id: string
}

const deadlineMs = 24 * 3_600_000
const firstPauseMs = 50
const longestPauseMs = 2_000

export const maintenanceSaga = saga<Input>(
  'compute.maintenances.carry_out',
  {
    revision: 1,
    deadline: deadlineMs,
    async failed(ctx, { id }, error) {
      await leaveWaiting(ctx, id, 'the maintenance failed')
      await failGoing(ctx, id, 'the maintenance failed before this came to its end')
      await endMaintenance(ctx, id, { state: 'failed', problem: error.message })
      await tellMaintenance(ctx, id, 'error')
    },
  },
  async (s, { id }) => {
    await s.step('carry out', signal => carryOut(s.ctx, id, signal))
    await s.last('end', async ctx => {
      const work = await existingMaintenance(ctx, id)
      const rows = await serversOf(ctx, id)
      await leaveWaiting(ctx, id, 'the maintenance was cancelled')
      const complete = rows.every(row => row.state === 'done')
      const state = work.state === 'cancelling' ? 'cancelled' : complete ? 'done' : 'incomplete'
      await endMaintenance(ctx, id, { state })
      if (state === 'done' && work.kind === 'resume') await openAgain(ctx, work)
      await tellMaintenance(ctx, id, 'end')
    })
  },
)

/** A host that a maintenance has closed takes servers again; one that an operator has closed does not, whatever the reason says. */
async function openAgain(ctx: Ctx, { host }: MaintenanceRow): Promise<void> {
  const row = host === null ? undefined : await hosts.find(ctx.db, { name: host })
  if (!row?.disabled) return
  const closers = await maintenances.pick(ctx.db, ['id'], { host })
  if (!closers.some(({ id }) => row.disabled_reason === nameOf(id))) return
  await changeHost(ctx, row, { disabled: false, disabled_reason: null })
}

/** In a transaction. */
export async function tellMaintenance(ctx: Ctx, id: string, phase: 'start' | 'end' | 'error'): Promise<void> {
  const { kind, host, state, problem } = await existingMaintenance(ctx, id)
  await ctx.events.emit(ctx, `maintenance.${kind}.${phase}`, id, { id, kind, host, state, problem })
}

async function carryOut(ctx: Ctx, id: string, signal: AbortSignal): Promise<void> {
  for (let pauseMs = firstPauseMs; ; ) {
    const came = await turn(ctx, id)
    if (came === 'over') return
    pauseMs = came === 'changed' ? firstPauseMs : Math.min(2 * pauseMs, longestPauseMs)
    await ctx.clock.sleep(pauseMs, signal)
  }
}

/** Looks at those that go on, and begins as many more as may. */
async function turn(ctx: Ctx, id: string): Promise<'over' | 'changed' | 'same'> {
  const work = await existingMaintenance(ctx, id)
  if (work.kind === 'drain' && work.state === 'running') await takeUp(ctx, work)
  let [changed, going] = [false, 0]
  const rows = await serversOf(ctx, id)
  for (const row of rows.filter(one => one.state === 'going')) {
    if ((await orUnexpected(ctx, row, () => look(ctx, row))) === 'going') going++
    else changed = true
  }
  const waiting = work.state === 'running' ? rows.filter(row => row.state === 'waiting') : []
  for (const row of waiting) {
    if (going >= work.together) break
    const came = await orUnexpected(ctx, row, () => begin(ctx, work, row))
    if (came === 'going') going++
    if (came !== 'waiting') changed = true
  }
  if (changed) return 'changed'
  return going === 0 && waiting.length === 0 ? 'over' : 'same'
}

/** What nobody foresaw with one server does not keep the others from their turn; a database that is away does. */
async function orUnexpected(
  ctx: Ctx,
  row: MaintainedRow,
  work: () => Promise<MaintainedState>,
): Promise<MaintainedState> {
  try {
    return await work()
  } catch (error) {
    if (ctx.sagas.stopping || error instanceof DatabaseOutage) throw error
    ctx.log.error(
      { err: error, server_id: row.server_id, maintenance: row.maintenance_id },
      'unexpected in maintenance',
    )
    return settle(ctx, row, 'failed', `unexpected: ${messageOf(error)}`)
  }
}

/** Servers that came to the host since, or came back. */
async function takeUp(ctx: Ctx, { id, host }: MaintenanceRow): Promise<void> {
  const known = new Map((await serversOf(ctx, id)).map(row => [row.server_id, row]))
  const there = await serversOn(ctx, host!)
  const fresh = there.filter(server => !known.has(server.id))
  if (fresh.length > 0)
    await ctx.transaction(tx =>
      addServers(
        tx,
        id,
        fresh.map(server => ({ server_id: server.id, from_host: host! })),
      ),
    )
  for (const server of there) {
    const row = known.get(server.id)
    if (row?.state === 'done') await updateMaintained(ctx, row, { state: 'waiting', reason: 'it came back' })
  }
}

const gone = 'it was deleted'

async function look(ctx: Ctx, row: MaintainedRow): Promise<MaintainedState> {
  const server = await findServer(ctx, row.server_id)
  if (!server) return settle(ctx, row, 'done', gone)
  if (server.task_state !== null) return 'going'
  const end = await endOf(ctx, row, server)
  if (end !== 'done') return settle(ctx, row, 'failed', end.failed)
  await updateMaintained(ctx, row, { state: 'done', to_host: server.host, reason: null })
  return 'done'
}

async function begin(ctx: Ctx, work: MaintenanceRow, row: MaintainedRow): Promise<MaintainedState> {
  const server = await findServer(ctx, row.server_id)
  if (!server) return settle(ctx, row, 'done', gone)
  if (isBusy(server)) return waitFor(ctx, row, server)
  try {
    return await ctx.transaction(async tx => {
      const way = await wayOf(tx, work, row, server)
      if ('nothing' in way) return settle(tx, row, 'done', way.nothing)
      if ('refused' in way) return settle(tx, row, 'refused', way.refused)
      const move = await beginAct(tx, way.act, server, row.to_host)
      await updateMaintained(tx, row, { state: 'going', act: way.act, move, reason: null })
      return 'going'
    })
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    const now = await findServer(ctx, row.server_id)
    // Something else has begun with it meanwhile.
    return now && isBusy(now) ? waitFor(ctx, row, now) : settle(ctx, row, 'refused', refusal)
  }
}

const isBusy = ({ vm_state, task_state }: ServerRow) => task_state !== null || vm_state === 'building'

/** Others have their turn meanwhile; but not for ever. */
async function waitFor(ctx: Ctx, row: MaintainedRow, { task_state }: ServerRow): Promise<MaintainedState> {
  const { patience_seconds } = ctx.config.of(computeConfig).maintenance
  const busy = `it is busy with ${task_state ?? 'its build'}`
  if (row.reason !== busy) return settle(ctx, row, 'waiting', busy)
  if (ctx.clock.now() - Date.parse(row.since) <= patience_seconds * 1000) return 'waiting'
  return settle(ctx, row, 'refused', `${busy}, and was so for ${patience_seconds} seconds`)
}

async function settle(ctx: Ctx, row: MaintainedRow, state: MaintainedState, reason: string): Promise<MaintainedState> {
  await updateMaintained(ctx, row, { state, reason })
  return state
}

/** Nothing more is begun; what goes on is seen to its end. False when it was over already. */
export async function cancelMaintenance(ctx: Ctx, id: string): Promise<boolean> {
  return (await maintenances.update(ctx.db, { id, state: 'running' }, { state: 'cancelling' })) > 0
}
