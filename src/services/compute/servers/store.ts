/** Servers in the database: the only place that names their tables. Per-server tables are reached through their cell. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import { archive, archived } from '#kernel/db/archive.ts'
import type { Db } from '#kernel/db/database.ts'
import type { ListOptions, Where } from '#kernel/db/rows.ts'
import { computeConfig } from '../config.ts'
import { tell } from '../events.ts'
import { attributesOf } from '../extensions/steps.ts'
import { insertValues } from '../extensions/store.ts'
import { leaveBundle } from '../links/store.ts'
import { leaveGroups } from '../server-groups/store.ts'
import { systemsWithBuild, worksOfNew } from './guest-works/new-guest.ts'
import { addWork, removeWorks } from './guest-works/store.ts'
import type { GuestDataRow, RequestSpec, ServerRow, TaskState, VmState } from './server.ts'
import type { SoftwareRequest } from './software/software.ts'
import { removeSoftware, replaceSoftware } from './software/store.ts'
import { explanations, requestSpecs } from './store-asked.ts'
import { removeBuildRequest } from './store-build-requests.ts'
import { cellDatabases, databaseOf, lastCellOf, mappings } from './store-cells.ts'
import { destinationsOf } from './store-moves.ts'
import { findServer, guestData, servers } from './store-servers.ts'
import { tags, tagsOf } from './store-tags.ts'

export { findServer, guestDataOf } from './store-servers.ts'

export interface NewServer {
  row: ServerRow
  /** Null: it is not placed yet. */
  cell: string | null
  spec: RequestSpec
  guestData: Omit<GuestDataRow, 'server_id'>
  tags: string[]
  /** Of extensions, by name. */
  attributes: Record<string, unknown>
  /** What its guest is to have once it runs. */
  software?: SoftwareRequest
}

/** Writes a new server: its cell's rows and the global ones. */
export const insertServer = (ctx: Ctx, server: NewServer): Promise<void> => insertServers(ctx, [server])

/** Writes new servers, which are all in one cell. */
export async function insertServers(ctx: Ctx, list: readonly NewServer[]): Promise<void> {
  const [first] = list
  if (!first) return
  const db = databaseOf(ctx.cells, first.cell)
  const of = <T>(make: (server: NewServer) => T) => list.map(make)
  await mappings.insertMany(
    ctx.db,
    of(({ row, cell }) => ({ server_id: row.id, cell, project_id: row.project_id })),
  )
  await requestSpecs.insertMany(
    ctx.db,
    of(({ row, spec }) => ({ server_id: row.id, spec })),
  )
  await servers.insertMany(
    db,
    of(({ row }) => row),
  )
  await guestData.insertMany(
    db,
    of(({ row, guestData: data }) => ({ server_id: row.id, ...data })),
  )
  await tags.insertMany(
    db,
    list.flatMap(server => server.tags.map(tag => ({ server_id: server.row.id, tag }))),
  )
  await insertValues(
    db,
    list.flatMap(({ row, attributes }) =>
      Object.entries(attributes).map(([name, value]) => ({ server_id: row.id, name, value })),
    ),
  )
  const systems = await systemsWithBuild(
    ctx,
    of(({ row }) => row),
  )
  for (const { row, software } of list) {
    if (software) await replaceSoftware(ctx, row.id, software)
    for (const work of worksOfNew(row, systems)) await addWork(ctx, row.id, work)
  }
}

/** Changes a server, if it still is as `expected` says. False when someone else was faster, or it is gone. */
export async function updateServer(
  ctx: Ctx,
  id: string,
  patch: Partial<ServerRow>,
  expected: Where<ServerRow> = {},
): Promise<boolean> {
  const db = await lastCellOf(ctx, id)
  if (!db) return false
  const updated_at = new Date(ctx.clock.now()).toISOString()
  const change = (on: Db) => servers.update(on, { ...expected, id }, { updated_at, ...patch })
  if (!isToldOf(ctx, patch)) return (await change(db)) > 0
  return ctx.transaction(async tx => {
    const before = await findServer(tx, id)
    const changed = (await change((await lastCellOf(tx, id)) ?? db)) > 0
    if (changed && before) await tellChange(tx, before, { ...before, ...patch })
    return changed
  })
}

/** Whether the configuration asks for an event of such a change. */
function isToldOf(ctx: Ctx, patch: Partial<ServerRow>): boolean {
  const told = ctx.config.of(computeConfig).notify_on_state_change
  return (told !== 'none' && 'vm_state' in patch) || (told === 'vm_and_task_state' && 'task_state' in patch)
}

async function tellChange(ctx: Ctx, before: ServerRow, after: ServerRow): Promise<void> {
  const old = { vm_state: before.vm_state, task_state: before.task_state }
  const tasks = ctx.config.of(computeConfig).notify_on_state_change === 'vm_and_task_state'
  if (old.vm_state === after.vm_state && (!tasks || old.task_state === after.task_state)) return
  await tell(ctx, after, 'update', { old })
}

/** Sets the task of a server that is in one of the states and does nothing else now: a compare-and-set. */
export function beginTask(
  ctx: Ctx,
  server: ServerRow,
  task: TaskState | null,
  from: readonly VmState[],
): Promise<boolean> {
  return updateServer(ctx, server.id, { task_state: task }, { vm_state: from, task_state: server.task_state })
}

/** Removes a server and all that hangs on it; its row goes to the archive. */
export async function removeServer(ctx: Ctx, row: ServerRow): Promise<void> {
  const mapping = await mappings.find(ctx.db, { server_id: row.id })
  if (!mapping) return
  const db = databaseOf(ctx.cells, mapping.cell)
  const attributes = await attributesOf(ctx, row.id)
  if ((await servers.remove(db, { id: row.id })) === 0) return
  await archive(ctx, servers.table, row.id, { ...row, tags: await tagsOf(ctx, row.id), ...attributes })
  await guestData.remove(db, { server_id: row.id })
  await tags.remove(db, { server_id: row.id })
  await removeSoftware(db, row.id)
  await removeWorks(db, row.id)
  await leaveGroups(ctx, row.id)
  await leaveBundle(ctx, row)
  await requestSpecs.remove(ctx.db, { server_id: row.id })
  await mappings.remove(ctx.db, { server_id: row.id })
  if (mapping.cell === null) await removeBuildRequest(ctx, row.id)
  await explanations.remove(ctx.db, { server_id: row.id })
}

/** Servers of all cells in the order asked for. */
export const listServers = (
  ctx: Ctx,
  where: Where<ServerRow>,
  options: ListOptions<ServerRow> = {},
): Promise<ServerRow[]> => ofCells(ctx, options, db => servers.list(db, where, options))

/** The same, and only these columns; those that it is ordered by come as well. */
export function pickServers<K extends keyof ServerRow>(
  ctx: Ctx,
  columns: readonly K[],
  where: Where<ServerRow>,
  options: ListOptions<ServerRow> = {},
): Promise<Pick<ServerRow, K>[]> {
  const all = [...new Set([...columns, ...(options.orderBy ?? []).map(({ column }) => column)])]
  return ofCells<Pick<ServerRow, K>>(ctx, options, db => servers.pick(db, all as K[], where, options))
}

async function ofCells<Row extends Partial<ServerRow>>(
  ctx: Ctx,
  options: ListOptions<ServerRow>,
  read: (db: Db) => Promise<Row[]>,
): Promise<Row[]> {
  const parts = await Promise.all(cellDatabases(ctx.cells).map(read))
  if (parts.length === 1) return parts[0]!
  const merged = parts.flat().sort((a, b) => compareBy(options.orderBy ?? [], a, b))
  return options.limit === undefined ? merged : merged.slice(0, options.limit)
}

const onHost = ['id', 'vm_state', 'task_state', 'power_state', 'fault'] as const
/** As much of a server as its guest's power state may change. */
export type ServerOnHost = Pick<ServerRow, (typeof onHost)[number]>

export async function serversOn(ctx: Ctx, host: string): Promise<ServerOnHost[]> {
  return (await Promise.all(cellDatabases(ctx.cells).map(db => servers.pick(db, onHost, { host })))).flat()
}

function compareBy(
  order: NonNullable<ListOptions<ServerRow>['orderBy']>,
  a: Partial<ServerRow>,
  b: Partial<ServerRow>,
): number {
  for (const { column, direction } of order) {
    const [x, y] = [a[column] ?? '', b[column] ?? '']
    if (x !== y) return (x < y ? -1 : 1) * (direction === 'asc' ? 1 : -1)
  }
  return 0
}

export interface ProjectUsage {
  instances: number
  cores: number
  ram: number
  disk: number
}

/** What a project's servers, those of several, or those of a user in one, use of its quota; those in soft deletion use nothing, until they are restored. */
export async function usageOf(ctx: Ctx, project: string | readonly string[], user?: string): Promise<ProjectUsage> {
  const usage: ProjectUsage = { instances: 0, cores: 0, ram: 0, disk: 0 }
  for (const db of cellDatabases(ctx.cells)) {
    const part = await db
      .selectFrom('compute_servers')
      .select([
        sql<number>`count(*)`.as('instances'),
        sql<number>`coalesce(sum(vcpus), 0)`.as('cores'),
        sql<number>`coalesce(sum(memory_mb), 0)`.as('ram'),
        sql<number>`coalesce(sum(disk_gb), 0)`.as('disk'),
      ])
      .where('project_id', 'in', [project].flat())
      .where(eb => eb.or([eb('vm_state', '!=', 'soft-delete'), eb('task_state', '=', 'restoring')]))
      .$if(user !== undefined, query => query.where('user_id', '=', user!))
      .executeTakeFirstOrThrow()
    usage.instances += Number(part.instances)
    usage.cores += Number(part.cores)
    usage.ram += Number(part.ram)
    usage.disk += Number(part.disk)
  }
  return usage
}

/** A server that is to be on another host than it is, and counts as being there. */
export interface Elsewhere {
  server: Pick<ServerRow, 'id' | 'vcpus' | 'memory_mb' | 'disk_gb'>
  host: string
}

/** How many of the servers are on each host, or on their way there. */
export async function hostsOfServers(
  ctx: Ctx,
  ids: readonly string[],
  elsewhere: readonly Elsewhere[] = [],
): Promise<Record<string, number>> {
  const to = new Map(elsewhere.map(one => [one.server.id, one.host]))
  const counts: Record<string, number> = {}
  for (const { id, host: now } of await pickServers(ctx, ['id', 'host'], { id: ids })) {
    const host = to.get(id) ?? now
    if (host !== null) counts[host] = (counts[host] ?? 0) + 1
  }
  for (const host of await destinationsOf(ctx, ids)) counts[host] = (counts[host] ?? 0) + 1
  return counts
}

/** How many of the servers are in each state; those that are gone are in none. */
export async function statesOfServers(ctx: Ctx, ids: readonly string[]): Promise<Partial<Record<VmState, number>>> {
  const counts: Partial<Record<VmState, number>> = {}
  for (const db of cellDatabases(ctx.cells)) {
    for (const { vm_state } of await servers.pick(db, ['vm_state'], { id: ids }))
      counts[vm_state] = (counts[vm_state] ?? 0) + 1
  }
  return counts
}

/** Ids of the servers that were asked for in one request with the first of these; none while it is being made. */
export async function siblingsOf(ctx: Ctx, ids: readonly string[]): Promise<string[]> {
  const row = ids[0] === undefined ? undefined : await findServer(ctx, ids[0])
  if (!row) return []
  return (await pickServers(ctx, ['id'], { reservation_id: row.reservation_id })).map(({ id }) => id)
}

/** Servers that are gone, newest first, as they were at their end: a page of them, unless `limit` says how many. */
export async function deletedServers(ctx: Ctx, since: string | undefined, limit?: number): Promise<ServerRow[]> {
  const options = { ...(since !== undefined && { since }), ...(limit !== undefined && { limit }) }
  const found = await archived<ServerRow>(ctx, servers.table, options)
  return found.map(({ deleted_at, ...row }) => ({ ...row, terminated_at: deleted_at, updated_at: deleted_at }))
}

/** A server that is gone, for as long as its row is kept. */
export async function deletedServer(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  return (await deletedServersOf(ctx, [id])).get(id)
}

/** Those of the ids that are remembered. */
export async function deletedServersOf(ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, ServerRow>> {
  const found = await archived<ServerRow>(ctx, servers.table, { id: ids, limit: ids.length })
  return new Map(found.map(({ deleted_at, ...row }) => [row.id, { ...row, terminated_at: deleted_at }]))
}
