/** An aggregate: a set of providers, known by its id alone. */
import type { Ctx } from '#kernel/context.ts'
import { providerAggregates } from '../providers/store.ts'

export async function aggregatesOf(ctx: Ctx, provider: string): Promise<string[]> {
  const rows = await providerAggregates.list(
    ctx.db,
    { provider },
    { orderBy: [{ column: 'aggregate', direction: 'asc' }] },
  )
  return rows.map(row => row.aggregate)
}

/** Puts a provider in exactly these aggregates. The caller holds the provider's lock. */
export async function replaceAggregates(ctx: Ctx, provider: string, aggregates: string[]): Promise<void> {
  await providerAggregates.remove(ctx.db, { provider })
  await providerAggregates.insertMany(
    ctx.db,
    [...new Set(aggregates)].map(aggregate => ({ provider, aggregate })),
  )
}
