/** Servers of one request that are too many for one transaction: placed and begun in batches, watched, and taken back when that fails as a whole. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { journal } from '#kernel/saga/journal.ts'
import { type SagaRun, saga } from '#kernel/saga/saga.ts'
import type { NetworkRequest } from '../../network/contract.ts'
import { tellTaskError } from '../choice-events.ts'
import { computeConfig } from '../config.ts'
import { tell } from '../events.ts'
import { buildServer } from './create-saga.ts'
import { beginDelete } from './delete.ts'
import { type Explanation, noValidHost } from './explanation.ts'
import { place } from './placing.ts'
import type { ServerFault, ServerRow } from './server.ts'
import { faultOf, faultOfSaga, releaseClaims } from './steps.ts'
import { keepExplanation, listServers, requestSpecOf, statesOfServers, updateServer } from './store.ts'

interface PlanInput {
  server_ids: string[]
  /** How many of them one transaction is about. */
  batch: number
  networks: NetworkRequest
  security_groups: string[]
  /** When all must have been built; ISO 8601. */
  until: string
}

/** Why none of the servers can be had: no host has room, or something else is lacking. */
type Refusal = { explanation: Explanation } | { reason: string }

/** What came of a batch that was to be placed. */
interface Placed {
  refusal?: Refusal
  late?: true
}

/** Hosts in the explanation of each server: of thousands, all would fill the disk. */
const explainedHosts = 50

const hour = 3_600_000

export const planSaga = saga<PlanInput>(
  'compute.servers.plan',
  {
    revision: 1,
    deadline: 24 * hour,
    async failed(ctx, { server_ids }, error) {
      // What has begun ends by itself; the rest never will.
      for (const row of await waiting(ctx, server_ids)) {
        const begun = await journal.unfinishedOf(ctx.db, row.id)
        if (begun.length === 0) await giveUp(ctx, row, faultOfSaga(ctx, error))
      }
    },
  },
  async (s, plan) => {
    for (const [name, ids] of batchesOf(plan)) {
      const { refusal, late } = await s.step(`place ${name}`, () => placeBatch(s.ctx, plan, ids))
      if (late) return takeBack(s, plan, tooLate(plan))
      if (refusal) return refuse(s, plan, refusal)
    }
    for (const [name, ids] of batchesOf(plan)) await s.record(`build ${name}`, ctx => beginBatch(ctx, ids))
    const { problem } = await s.step('watch', signal => watched(s.ctx, plan, signal))
    if (problem) await takeBack(s, plan, problem)
  },
)

/** Journals the plan for servers that were just written, in their transaction. Throws when the project may not have so many ports. */
export async function beginPlan(
  ctx: Ctx,
  rows: readonly ServerRow[],
  { networks, security_groups }: Pick<PlanInput, 'networks' | 'security_groups'>,
): Promise<void> {
  const { batch, timeout_seconds } = ctx.config.of(computeConfig).plans
  const deadline = timeout_seconds * 1000
  const until = new Date(ctx.clock.now() + deadline).toISOString()
  const input = { server_ids: rows.map(row => row.id), batch, networks, security_groups, until }
  // What is late is taken back by the plan itself: it needs time for that.
  await ctx.sagas.start(ctx, { ...planSaga, deadline: deadline + hour }, input, rows[0]!.reservation_id)
}

function batchesOf({ server_ids, batch }: PlanInput): [name: string, ids: string[]][] {
  return Array.from({ length: Math.ceil(server_ids.length / batch) }, (_, i) => {
    const ids = server_ids.slice(i * batch, (i + 1) * batch)
    return [`${i * batch + 1}-${i * batch + ids.length}`, ids]
  })
}

/** Those of the servers that nothing builds yet, and nobody deletes. */
const waiting = (ctx: Ctx, ids: string[]) =>
  listServers(ctx, { id: ids, vm_state: 'building', task_state: 'scheduling' }, byIndex)

const byIndex = { orderBy: [{ column: 'launch_index' as const, direction: 'asc' as const }] }

/** Claims hosts and ports for a batch, or for none of it. Those that have a host keep it, so it may run twice. */
async function placeBatch(ctx: Ctx, plan: PlanInput, ids: string[]): Promise<Placed> {
  if (ctx.clock.now() >= Date.parse(plan.until)) return { late: true }
  try {
    return await ctx.transaction(async tx => {
      const rows = (await waiting(tx, ids)).filter(row => row.host === null)
      const [first] = rows
      const spec = first && (await requestSpecOf(tx, first.id))
      if (!first || !spec) return {}
      const { flavor, image, project_id, user_id } = first
      const request = { flavor, image, spec, ignore: [], project_id, user_id }
      const placing = await place(
        tx,
        request,
        rows.map(row => row.id),
      )
      if (!('hosts' in placing)) {
        const { asked, hosts } = placing.explanation
        return { refusal: { explanation: { asked, hosts: hosts.slice(0, explainedHosts) } } }
      }
      for (const [i, row] of rows.entries()) {
        const { host, node, zone } = placing.hosts[i]!
        const placed = { host, node, availability_zone: zone }
        await updateServer(tx, row.id, placed)
        await tell(tx, { ...row, ...placed }, 'create.start')
        const owner = { server_id: row.id, hostname: row.hostname, project_id, availability_zone: zone }
        await tx.services.network.claimPorts(tx, owner, plan.networks, plan.security_groups)
      }
      return {}
    })
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { refusal: { reason: error.message } }
  }
}

/** Binds the ports of a batch, so that each host is told once, and begins to build its servers. */
async function beginBatch(ctx: Ctx, ids: string[]): Promise<void> {
  const { attempts } = ctx.config.of(computeConfig).plans
  for (const { id, host } of await waiting(ctx, ids)) {
    if (host === null) continue
    await ctx.services.network.bindPorts(ctx, id, host)
    await buildServer(ctx, { server_id: id, host, attempts })
  }
}

const firstPauseMs = 50
const longestPauseMs = 2_000

/** Waits until all are built that are left, and says what must not be: that they are not in time, or that too many are in error. */
async function watched(ctx: Ctx, plan: PlanInput, signal: AbortSignal): Promise<{ problem?: string }> {
  const { failures_percent } = ctx.config.of(computeConfig).plans
  const most = (plan.server_ids.length * failures_percent) / 100
  const until = Date.parse(plan.until)
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const { building = 0, error = 0 } = await statesOfServers(ctx, plan.server_ids)
    if (error > most) return { problem: `${error} of ${plan.server_ids.length} servers could not be built` }
    if (building === 0) return {}
    const left = until - ctx.clock.now()
    if (left <= 0) return { problem: tooLate(plan) }
    await ctx.clock.sleep(Math.min(pauseMs, left), signal)
  }
}

const tooLate = ({ until }: PlanInput) => `not all servers were built by ${until}`

/** All of them or none: what was claimed is given back, and each says why. */
async function refuse(s: SagaRun, plan: PlanInput, refusal: Refusal): Promise<void> {
  for (const [name, ids] of batchesOf(plan)) {
    await s.record(`give up ${name}`, async ctx => {
      for (const row of await waiting(ctx, ids)) {
        if ('reason' in refusal) await giveUp(ctx, row, faultOf(ctx, refusal.reason, ''))
        else {
          await keepExplanation(ctx, row.id, refusal.explanation)
          await giveUp(ctx, row, noValidHost(ctx, refusal.explanation))
        }
      }
    })
  }
}

async function giveUp(ctx: Ctx, row: ServerRow, fault: ServerFault): Promise<void> {
  await releaseClaims(ctx, row.id)
  const patch = { vm_state: 'error', task_state: null, host: null, node: null, fault } as const
  await updateServer(ctx, row.id, patch)
  if (row.host === null) await tell(ctx, row, 'create.start')
  const { message, details } = fault
  const told = { exception: 'NoValidHost', message, step: 'choose a host', details }
  await tellTaskError(ctx, 'build_instances', row.id, told)
  await tell(ctx, { ...row, ...patch }, 'create.error', { fault: told })
  ctx.afterCommit(() => ctx.log.warn({ subject: row.id, err: message }, 'a server could not be placed'))
}

/** Deletes what is there of the plan. It fails then, so that its journal says why. */
async function takeBack(s: SagaRun, plan: PlanInput, problem: string): Promise<void> {
  for (const [name, ids] of batchesOf(plan)) {
    await s.record(`take back ${name}`, async ctx => {
      for (const row of await listServers(ctx, { id: ids }, byIndex)) await beginDelete(ctx, row)
    })
  }
  throw new PlanTakenBack(problem)
}

class PlanTakenBack extends Error {
  override readonly name = 'PlanTakenBack'
}
