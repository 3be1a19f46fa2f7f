/** Destroys the guests that were left on a host which could not be reached when their server went. */
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { hostAgent } from '../host-agent.ts'
import { isUnreachable } from '../servers/steps.ts'
import { findServer } from '../servers/store.ts'
import { type CleanupRow, cleanupHosts, forgetCleanup, pendingCleanups } from '../servers/store-cleanups.ts'
import { destinationsOf } from '../servers/store-moves.ts'

export const hostCleanups = reconciler({
  id: 'compute.host-cleanups',
  every: 60_000,
  async run(ctx) {
    const byHost = Map.groupBy(await pendingCleanups(ctx), row => row.host)
    await Promise.all([...byHost.values()].map(rows => cleanHost(ctx, rows)))
  },
})

/** What is there may be the server's again since it was left: on its host as long as its deletion has not ended, or on its way there. */
async function isDue(ctx: Ctx, host: string, id: string): Promise<boolean> {
  if ((await findServer(ctx, id))?.host === host || (await destinationsOf(ctx, [id])).includes(host)) return false
  return (await cleanupHosts(ctx, id)).includes(host)
}

/** One after the other; a host that does not answer is asked again at the next run. */
async function cleanHost(ctx: Ctx, rows: CleanupRow[]): Promise<void> {
  for (const { host, server_id: id } of rows) {
    if (!(await isDue(ctx, host, id))) continue
    try {
      await hostAgent(ctx, host).call('destroy', { id }, { request: ctx })
      await ctx.services.volume?.disconnect(ctx, id, host)
      await forgetCleanup(ctx, host, id)
      // Its room there is free from now on.
      ctx.signal('compute.evacuated-sources')
      ctx.log.info({ host, server_id: id }, 'a guest that was left behind is destroyed')
    } catch (error) {
      if (isUnreachable(error)) return
      ctx.log.warn({ err: messageOf(error), host, server_id: id }, 'a guest that was left behind is still there')
    }
  }
}
