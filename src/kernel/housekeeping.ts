/** Forgets what is old: finished sagas, archived rows, events. */
import { cloudConfig } from './config/cloud-config.ts'
import { expireArchive } from './db/archive.ts'
import { expireEvents } from './events/events.ts'
import { reconciler } from './reconcile.ts'
import { journal } from './saga/journal.ts'

export const housekeeping = reconciler({
  id: 'kernel.housekeeping',
  every: 3_600_000,
  async run(ctx) {
    const days = ctx.config.of(cloudConfig).keep_deleted_days
    const before = new Date(ctx.clock.now() - days * 86_400_000).toISOString()
    const sagas = await journal.expire(ctx.db, before)
    const rows = await expireArchive(ctx, before)
    const events = await expireEvents(ctx.db, before)
    if (sagas + rows + events > 0) ctx.log.info({ sagas, rows, events }, 'forgot what is old')
  },
})
