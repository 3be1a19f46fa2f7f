/** Servers of a request that came while the scheduler was away: written down at once, placed and begun when it is back. */
import type { Ctx } from '#kernel/context.ts'
import { saga } from '#kernel/saga/saga.ts'
import { computeConfig } from '../config.ts'
import { batchesOf, beginBatch, giveUpWaiting, type PlanInput, placeBatch, refuse } from './plan-batches.ts'
import type { ServerRow } from './server.ts'

const hour = 3_600_000

export const placeSaga = saga<PlanInput>(
  'compute.servers.place',
  {
    revision: 1,
    deadline: 24 * hour,
    failed: (ctx, { server_ids }, error) => giveUpWaiting(ctx, server_ids, error),
  },
  async (s, input) => {
    for (const [name, ids] of batchesOf(input)) {
      const { refusal, late } = await s.step(`place ${name}`, signal => placeBatch(s.ctx, input, ids, signal))
      if (late) return refuse(s, input, { reason: tooLate(input) })
      if (refusal) return refuse(s, input, refusal)
      await s.record(`build ${name}`, ctx => beginBatch(ctx, ids))
    }
  },
)

const tooLate = ({ until }: PlanInput) =>
  `No valid host was found. No scheduler was there to choose one until ${until}.`

/** Journals that servers which were just written, in the same transaction, are to be placed as one as soon as that can be. */
export async function placeLater(ctx: Ctx, rows: readonly ServerRow[]): Promise<void> {
  const deadline = ctx.config.of(computeConfig).build_timeout_seconds * 1000
  const until = new Date(ctx.clock.now() + deadline).toISOString()
  const input = { server_ids: rows.map(row => row.id), batch: rows.length, until }
  // Giving up takes time as well.
  await ctx.sagas.start(ctx, { ...placeSaga, deadline: deadline + hour }, input, rows[0]!.reservation_id)
}
