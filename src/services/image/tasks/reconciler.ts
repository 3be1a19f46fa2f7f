/** Forgets tasks that have ended long ago. */
import { reconciler } from '#kernel/reconcile.ts'
import { tasks } from './store.ts'

export const oldTasks = reconciler({
  id: 'image.old-tasks',
  every: 3_600_000,
  async run(ctx) {
    await tasks.remove(ctx.db, { expires_at: { op: '<', value: new Date(ctx.clock.now()).toISOString() } })
  },
})
