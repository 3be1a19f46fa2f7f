/** Placement's view of aggregates. */
import type { Ctx } from '#kernel/context.ts'
import { allAggregates } from './store.ts'

/** Puts a host's provider in exactly the aggregates that the host is in. */
export async function keepAggregates(ctx: Ctx, host: { name: string; provider_uuid: string }): Promise<void> {
  const its = (await allAggregates(ctx.db)).filter(aggregate => aggregate.hosts.includes(host.name))
  await ctx.services.placement.setAggregates(
    ctx,
    host.provider_uuid,
    its.map(aggregate => aggregate.uuid),
  )
}
