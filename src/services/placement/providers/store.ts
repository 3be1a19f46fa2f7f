/** Rows of resource providers, and of what each has: inventories, traits, aggregates. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { addOrder, addSet, addWhere, matching, placeholder, run, statement } from '#kernel/db/statement.ts'

export interface ProviderRow {
  uuid: string
  name: string
  parent_uuid: string | null
  root_uuid: string
  generation: number
  /** Grows with every change of the provider or of anything it has; see `changedSince`. */
  changed: number
  created_at: string
  updated_at: string
}

export interface InventoryRow {
  provider: string
  resource_class: string
  total: number
  reserved: number
  min_unit: number
  max_unit: number
  step_size: number
  allocation_ratio: number
  /** floor((total - reserved) * allocation_ratio) */
  capacity: number
  /** The sum of the allocations, changed in their transaction. */
  used: number
  updated_at: string
}

export interface ProviderTraitRow {
  provider: string
  trait: string
}

export interface ProviderAggregateRow {
  provider: string
  aggregate: string
}

interface RemovedProviderRow {
  uuid: string
  changed: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    placement_providers: ProviderRow
    placement_removed_providers: RemovedProviderRow
    placement_inventories: InventoryRow
    placement_provider_traits: ProviderTraitRow
    placement_provider_aggregates: ProviderAggregateRow
  }
}

export const providers = rows<ProviderRow>('placement_providers')
export const inventories = rows<InventoryRow>('placement_inventories')
export const providerTraits = rows<ProviderTraitRow>('placement_provider_traits')
export const providerAggregates = rows<ProviderAggregateRow>('placement_provider_aggregates')
const removedProviders = rows<RemovedProviderRow>('placement_removed_providers')

export const nowText = (ctx: Ctx) => new Date(ctx.clock.now()).toISOString()

const changing = new WeakSet<Db>()

/** Whether a transaction has changed providers, so that it reads what others do not see yet. */
export const hasChangedProviders = (db: Db): boolean => changing.has(db)

/**
 * The mark that a change leaves. On PostgreSQL it is the transaction's id, since a sequence's order is not that of the commits;
 * SQLite has one writer, so the next number will do.
 */
function stampText(ctx: Ctx): string {
  changing.add(ctx.db)
  return ctx.database.engine === 'postgres'
    ? 'pg_current_xact_id()::text::bigint'
    : '1 + max((select coalesce(max(changed), 0) from placement_providers), (select coalesce(max(changed), 0) from placement_removed_providers))'
}

const stamp = (ctx: Ctx) => sql<number>`${sql.raw(stampText(ctx))}`

export async function insertProvider(ctx: Ctx, row: Omit<ProviderRow, 'changed' | 'created_at' | 'updated_at'>) {
  const now = nowText(ctx)
  await ctx.db
    .insertInto('placement_providers')
    .values({ ...row, changed: stamp(ctx), created_at: now, updated_at: now })
    .execute()
  // After the insert, whose mark must be above this one's.
  await removedProviders.remove(ctx.db, { uuid: row.uuid })
}

export interface Touch {
  /** Leaves the generation as it is. */
  keepGeneration?: boolean
  patch?: Partial<Pick<ProviderRow, 'name' | 'parent_uuid' | 'root_uuid'>>
}

/** Marks a provider as changed and raises its generation. Locks it until the transaction ends. */
export const touchProvider = (ctx: Ctx, uuid: string, touch?: Touch): Promise<void> =>
  touchProviders(ctx, [uuid], touch)

/** The same for all that there are of these, which the caller has locked. */
export async function touchProviders(ctx: Ctx, uuids: string[], touch: Touch = {}): Promise<void> {
  if (uuids.length === 0) return
  const s = statement(ctx.db, 'update placement_providers')
  addSet(s, { ...touch.patch, updated_at: nowText(ctx) })
  s.text += `, changed = ${stampText(ctx)}${touch.keepGeneration ? '' : ', generation = generation + 1'}`
  addWhere(s, matching(s, { uuid: uuids }))
  await run(ctx.db, s)
}

/** Providers by id, locked in one order until the transaction ends. */
export async function lockProviders(ctx: Ctx, uuids: string[]): Promise<Map<string, ProviderRow>> {
  if (uuids.length === 0) return new Map()
  const s = statement(ctx.db, 'select * from placement_providers')
  addWhere(s, matching(s, { uuid: uuids }))
  addOrder(s, [{ column: 'uuid', direction: 'asc' }])
  if (s.postgres) s.text += ' for update'
  const found = (await run<ProviderRow>(ctx.db, s)).rows
  return new Map(found.map(row => [row.uuid, row]))
}

/** Deletes a provider and what it has. The caller has made sure that nothing uses it. */
export async function deleteProvider(ctx: Ctx, uuid: string): Promise<void> {
  await inventories.remove(ctx.db, { provider: uuid })
  await providerTraits.remove(ctx.db, { provider: uuid })
  await providerAggregates.remove(ctx.db, { provider: uuid })
  await ctx.db
    .insertInto('placement_removed_providers')
    .values({ uuid, changed: stamp(ctx) })
    .execute()
  await providers.remove(ctx.db, { uuid })
}

/** So much more is used of each of these providers, by class. */
export async function addUsed(ctx: Ctx, providers: string[], amounts: ReadonlyMap<string, number>): Promise<void> {
  const s = statement(ctx.db, 'update placement_inventories set used = used + case resource_class')
  for (const [name, amount] of amounts)
    s.text += ` when ${placeholder(s, name)} then cast(${placeholder(s, amount)} as bigint)`
  s.text += ' end'
  addWhere(s, matching(s, { provider: providers, resource_class: [...amounts.keys()] }))
  await run(ctx.db, s)
}

/** What providers have of a class: all, or those with these names. */
export function offersOf(ctx: Ctx, resource_class: string, names?: readonly string[]) {
  return ctx.db
    .selectFrom('placement_inventories as i')
    .innerJoin('placement_providers as p', 'p.uuid', 'i.provider')
    .select(['p.uuid', 'p.name', 'i.capacity', 'i.used'])
    .where('i.resource_class', '=', resource_class)
    .$if(names !== undefined, query => query.where('p.name', 'in', names!))
    .execute()
}

export interface Changes {
  providers: ProviderRow[]
  inventories: InventoryRow[]
  traits: ProviderTraitRow[]
  aggregates: ProviderAggregateRow[]
  removed: string[]
}

interface ChangedRow extends ProviderRow {
  removed: 0 | 1
  mark: number
}

/** Everything about the providers that changed since a mark; some may not have. With the mark at which the next reading has to begin, so that none is missed. */
export async function changedSince(db: Db, mark: number): Promise<Changes & { mark: number }> {
  const s = statement(db, '')
  // On PostgreSQL, what is under way may yet leave a mark as low as that of the oldest transaction.
  const next = s.postgres ? 'pg_snapshot_xmin(pg_current_snapshot())::text::bigint' : 'changed + 1'
  const since = (columns: string, table: string) =>
    `select ${columns}, ${next} as mark from ${table} where changed >= ${placeholder(s, mark)}`
  const ofProviders = 'uuid, name, parent_uuid, root_uuid, generation, changed, created_at, updated_at, 0 as removed'
  s.text = since(ofProviders, 'placement_providers')
  s.text += ` union all ${since("uuid, '', null, '', 0, changed, '', '', 1", 'placement_removed_providers')}`
  const found = (await run<ChangedRow>(db, s)).rows
  // Not by the database: SQLite would go through all providers in their index by name.
  const changed = found.filter(row => row.removed === 0).sort((a, b) => (a.name < b.name ? -1 : 1))
  const few = changed.length <= 300
  const of = few ? { provider: changed.map(row => row.uuid) } : {}
  const none = changed.length === 0
  return {
    providers: changed,
    inventories: none ? [] : await inventories.list(db, of),
    traits: none ? [] : await providerTraits.list(db, of),
    aggregates: none ? [] : await providerAggregates.list(db, of),
    removed: found.filter(row => row.removed === 1).map(row => row.uuid),
    mark: found.reduce((most, row) => Math.max(most, row.mark), mark),
  }
}
