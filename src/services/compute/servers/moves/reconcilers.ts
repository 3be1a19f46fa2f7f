/** What goes on with moves by itself: resizes that nobody decides, room that no move holds any more, disks that were left aside. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { keptSince } from '#kernel/housekeeping.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { journal } from '#kernel/saga/journal.ts'
import { computeConfig } from '../../config.ts'
import { releaseRoom } from '../../rooms/steps.ts'
import { findServer, updateServer } from '../store.ts'
import { pendingCleanups } from '../store-cleanups.ts'
import { confirmResized } from './decide.ts'
import { openStatuses } from './move.ts'
import { forgetMoves, moves, openMoves } from './store.ts'
import { beginTidy } from './tidy.ts'

/** Confirms resizes that have waited for longer than the configuration has patience. */
export const unconfirmedResizes = reconciler({
  id: 'compute.unconfirmed-resizes',
  every: 60_000,
  async run(ctx) {
    const seconds = ctx.config.of(computeConfig).resize_confirm_seconds
    if (seconds === 0) return
    const before = new Date(ctx.clock.now() - seconds * 1000).toISOString()
    for (const move of await moves.list(ctx.db, { status: 'finished', updated_at: { op: '<=', value: before } })) {
      try {
        await confirmResized(ctx, move.uuid, move.server_id)
      } catch (error) {
        ctx.log.warn({ err: messageOf(error), server_id: move.server_id }, 'a resize could not be confirmed')
      }
    }
  },
})

/** Frees what moves hold that are over, or never were. */
export const orphanMoves = reconciler({
  id: 'compute.orphan-moves',
  every: 600_000,
  async run(ctx) {
    for (const uuid of await ctx.services.placement.consumersOf(ctx, 'MIGRATION')) {
      await ctx.transaction(async tx => {
        if (await moves.find(tx.db, { uuid, status: openStatuses })) return
        await releaseRoom(tx, uuid)
        tx.log.warn({ move: uuid }, 'freed the allocations of a move that is over')
      })
    }
  },
})

export const oldMoves = reconciler({
  id: 'compute.old-moves',
  every: 3_600_000,
  run: ctx => forgetMoves(ctx, keptSince(ctx)),
})

/** Removes what is aside of servers that stayed on their hosts, where that could not be done at once. */
export const lostAsides = reconciler({
  id: 'compute.lost-asides',
  every: 60_000,
  async run(ctx) {
    for (const { host, server_id } of await pendingCleanups(ctx)) {
      if ((await findServer(ctx, server_id))?.host === host) await ctx.transaction(tx => tidyAgain(tx, host, server_id))
    }
  },
})

/** What is aside may be needed while something goes on with the server, or its move is not decided. */
async function tidyAgain(ctx: Ctx, host: string, id: string): Promise<void> {
  const server = await findServer(ctx, id)
  if (server?.host !== host || server.task_state !== null) return
  if ((await openMoves(ctx, id)).length > 0 || (await journal.unfinishedOf(ctx.db, id)).length > 0) return
  // Of an action that begins at this moment one comes first: either it is seen here, or it runs after the tidying.
  const { updated_at } = server
  if (await updateServer(ctx, id, { updated_at }, { task_state: null, host, updated_at }))
    await beginTidy(ctx, { server_id: id, host })
}
