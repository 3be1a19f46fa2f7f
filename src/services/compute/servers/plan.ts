/** Servers of one request that are too many for one transaction: placed and begun in batches, watched, and taken back when that fails as a whole. */
import type { Ctx } from '#kernel/context.ts'
import { type SagaRun, saga } from '#kernel/saga/saga.ts'
import { computeConfig } from '../config.ts'
import { beginDelete } from './delete.ts'
import { batchesOf, beginBatch, byIndex, giveUpWaiting, type PlanInput, placeBatch, refuse } from './plan-batches.ts'
import type { ServerRow } from './server.ts'
import { listServers, statesOfServers } from './store.ts'

const hour = 3_600_000

export const planSaga = saga<PlanInput>(
  'compute.servers.plan',
  {
    revision: 1,
    deadline: 24 * hour,
    failed: (ctx, { server_ids }, error) => giveUpWaiting(ctx, server_ids, error),
  },
  async (s, plan) => {
    for (const [name, ids] of batchesOf(plan)) {
      const { refusal, late } = await s.step(`place ${name}`, signal => placeBatch(s.ctx, plan, ids, signal))
      if (late) return takeBack(s, plan, tooLate(plan))
      if (refusal) return refuse(s, plan, refusal)
    }
    for (const [name, ids] of batchesOf(plan)) await s.record(`build ${name}`, ctx => beginBatch(ctx, ids))
    const { problem } = await s.step('watch', signal => watched(s.ctx, plan, signal))
    if (problem) await takeBack(s, plan, problem)
  },
)

/** Journals the plan for servers that were just written, in their transaction. Throws when the project may not have so many ports. */
export async function beginPlan(ctx: Ctx, rows: readonly ServerRow[]): Promise<void> {
  const { batch, timeout_seconds } = ctx.config.of(computeConfig).plans
  const deadline = timeout_seconds * 1000
  const until = new Date(ctx.clock.now() + deadline).toISOString()
  const input = { server_ids: rows.map(row => row.id), batch, until }
  // What is late is taken back by the plan itself: it needs time for that.
  await ctx.sagas.start(ctx, { ...planSaga, deadline: deadline + hour }, input, rows[0]!.reservation_id)
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
