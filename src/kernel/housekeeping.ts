/** Forgets what is old: finished sagas, archived rows, events. */
import { cloudConfig } from './config/cloud-config.ts'
import type { Ctx } from './context.ts'
import { expireArchive } from './db/archive.ts'
import { expireEvents } from './events/events.ts'
import { reconciler } from './reconcile.ts'
import { journal } from './saga/journal.ts'

/** What ended before then is forgotten. */
export function keptSince(ctx: Ctx): string {
  return new Date(ctx.clock.now() - ctx.config.of(cloudConfig).keep_deleted_days * 86_400_000).toISOString()
}

export const housekeeping = reconciler({
  id: 'kernel.housekeeping',
  every: 3_600_000,
  async run(ctx) {
    const before = keptSince(ctx)
    const sagas = await journal.expire(ctx.db, before)
    const rows = await expireArchive(ctx, before)
    const events = await expireEvents(ctx.db, before)
    if (sagas + rows + events > 0) ctx.log.info({ sagas, rows, events }, 'forgot what is old')
  },
})
