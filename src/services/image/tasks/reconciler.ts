/** Forgets tasks that have ended long ago, and downloads that no allowance remembers. */
import { reconciler } from '#kernel/reconcile.ts'
import { transfers } from '../transfers/store.ts'
import { tasks } from './store.ts'

export const oldTasks = reconciler({
  id: 'image.old-tasks',
  every: 3_600_000,
  async run(ctx) {
    await transfers.remove(ctx.db, { used_until: { op: '<', value: ctx.clock.now() } })
    await tasks.remove(ctx.db, { expires_at: { op: '<', value: new Date(ctx.clock.now()).toISOString() } })
  },
})
