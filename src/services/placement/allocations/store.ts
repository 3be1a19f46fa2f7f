/** Rows of consumers and of what they have. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import { addValues, addWhere, matching, run, statement } from '#kernel/db/statement.ts'

export interface ConsumerRow {
  uuid: string
  project_id: string
  user_id: string
  /** `INSTANCE`, `MIGRATION` …; null for consumers made before 1.38. */
  type: string | null
  generation: number
  updated_at: string
}

export interface AllocationRow {
  consumer: string
  provider: string
  resource_class: string
  used: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    placement_consumers: ConsumerRow
    placement_allocations: AllocationRow
  }
}

export const consumers = rows<ConsumerRow>('placement_consumers')
export const allocations = rows<AllocationRow>('placement_allocations')

/** Writes rows of consumers, new or not. */
export async function putConsumers(ctx: Ctx, list: readonly ConsumerRow[]): Promise<void> {
  for (let i = 0; i < list.length; i += 200) {
    const s = statement(ctx.db, 'insert into placement_consumers')
    addValues(
      s,
      list.slice(i, i + 200).map(row => ({ ...row })),
    )
    const changed = ['project_id', 'user_id', 'type', 'generation', 'updated_at']
    s.text += ` on conflict (uuid) do update set ${changed.map(column => `${column} = excluded.${column}`).join(', ')}`
    await run(ctx.db, s)
  }
}

/** Those of the consumers that there are, by id, and what they have. A consumer without anything is not kept. */
export async function consumersWithAllocations(
  ctx: Ctx,
  ids: readonly string[],
): Promise<{ known: Map<string, ConsumerRow>; before: AllocationRow[] }> {
  if (ids.length === 0) return { known: new Map(), before: [] }
  const s = statement(ctx.db, 'select c.*, a.provider, a.resource_class, a.used from placement_consumers c')
  s.text += ' join placement_allocations a on a.consumer = c.uuid'
  addWhere(s, matching(s, { uuid: ids }))
  const found = (await run<ConsumerRow & AllocationRow>(ctx.db, s)).rows
  return {
    known: new Map(found.map(row => [row.uuid, row])),
    before: found.map(({ uuid: consumer, provider, resource_class, used }) => ({
      ...{ consumer, provider, resource_class, used },
    })),
  }
}

/** The consumers that have something of a provider. */
export async function consumersOf(ctx: Ctx, provider: string): Promise<ConsumerRow[]> {
  return ctx.db
    .selectFrom('placement_consumers')
    .selectAll()
    .where('uuid', 'in', eb =>
      eb.selectFrom('placement_allocations').select('consumer').where('provider', '=', provider),
    )
    .execute()
}

export interface UsageOf {
  project_id: string
  user_id?: string | undefined
  /** A type, `unknown` for consumers without one, or undefined for all. */
  type?: string | undefined
}

export interface UsageRow {
  type: string | null
  resource_class: string
  used: number
  consumers: number
}

/** Sums by consumer type and class, and how many consumers of the type have anything. */
export async function usageTotals(ctx: Ctx, { project_id, user_id, type }: UsageOf): Promise<UsageRow[]> {
  let query = ctx.db
    .selectFrom('placement_allocations as a')
    .innerJoin('placement_consumers as c', 'c.uuid', 'a.consumer')
    .select(eb => [
      'c.type',
      'a.resource_class',
      eb.fn.sum<number>('a.used').as('used'),
      sql<number>`count(distinct c.uuid)`.as('consumers'),
    ])
    .where('c.project_id', '=', project_id)
    .groupBy(['c.type', 'a.resource_class'])
    .orderBy('a.resource_class')
  if (user_id !== undefined) query = query.where('c.user_id', '=', user_id)
  if (type === 'unknown') query = query.where('c.type', 'is', null)
  else if (type !== undefined) query = query.where('c.type', '=', type)
  const found = await query.execute()
  return found.map(row => ({ ...row, used: Number(row.used), consumers: Number(row.consumers) }))
}

/** How many consumers of each type have anything. */
export async function consumerCounts(ctx: Ctx, { project_id, user_id }: UsageOf): Promise<Map<string | null, number>> {
  let query = ctx.db
    .selectFrom('placement_consumers')
    .select(eb => ['type', eb.fn.countAll<number>().as('n')])
    .where('project_id', '=', project_id)
    .groupBy('type')
  if (user_id !== undefined) query = query.where('user_id', '=', user_id)
  return new Map((await query.execute()).map(row => [row.type, Number(row.n)]))
}
