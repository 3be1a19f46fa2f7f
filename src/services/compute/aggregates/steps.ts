/** What more than one operation on aggregates does: finding one, keeping placement's view of them. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { integerId } from '../dialect.ts'
import type { Aggregate } from './aggregate.ts'
import { aggregateHosts, aggregates, allAggregates } from './store.ts'

/** Puts a host's provider in exactly the aggregates that the host is in. */
export async function keepAggregates(ctx: Ctx, host: { name: string; provider_uuid: string }): Promise<void> {
  const its = (await allAggregates(ctx.db)).filter(aggregate => aggregate.hosts.includes(host.name))
  await ctx.services.placement.setAggregates(
    ctx,
    host.provider_uuid,
    its.map(aggregate => aggregate.uuid),
  )
}

/** The aggregate that a path names, with its hosts. */
export async function loadAggregate(ctx: Ctx, text: string): Promise<Aggregate> {
  const id = integerId(text)
  const row = await aggregates.find(ctx.db, { id })
  if (!row) throw new NotFound(`Aggregate ${text} could not be found.`)
  const its = await aggregateHosts.list(
    ctx.db,
    { aggregate_id: id },
    { orderBy: [{ column: 'host', direction: 'asc' }] },
  )
  return { ...row, hosts: its.map(({ host }) => host) }
}
