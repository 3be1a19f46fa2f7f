/** Frees ports and allocations of servers that are not there. A claim is one transaction with its server, so this finds what people and bugs left. */
import type { Ctx } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { releaseRoom } from '../rooms/steps.ts'
import { cellOf, existing } from '../servers/store-cells.ts'

export const orphanClaims = reconciler({
  id: 'compute.orphan-claims',
  every: 600_000,
  async run(ctx) {
    const { network, placement } = ctx.services
    await free(ctx, 'allocations', await placement.consumersOf(ctx, 'INSTANCE'), releaseRoom)
    await free(ctx, 'ports', await network.serversWithPorts(ctx), network.releasePorts)
  },
})

/** The holders were read before the servers: a server that is not there now was deleted, or never was. */
async function free(ctx: Ctx, what: string, holders: string[], release: (ctx: Ctx, id: string) => Promise<unknown>) {
  const servers = await existing(ctx, holders)
  for (const id of holders) {
    if (servers.has(id)) continue
    await ctx.transaction(async tx => {
      if (await cellOf(tx, id)) return
      await release(tx, id)
      ctx.log.warn({ server_id: id }, `freed the ${what} of a server that is not there`)
    })
  }
}
