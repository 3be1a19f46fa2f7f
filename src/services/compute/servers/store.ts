/** Servers in the database: the only place that names their tables. Per-server tables are reached through their cell. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Cells, Ctx } from '#kernel/context.ts'
import { archive, archived } from '#kernel/db/archive.ts'
import type { Db } from '#kernel/db/database.ts'
import { type AnyBuilder, type ListOptions, rows, type Where } from '#kernel/db/rows.ts'
import { leaveGroups } from '../server-groups/store.ts'
import type { Explanation } from './explanation.ts'
import type { GuestDataRow, RequestSpec, ServerRow, TaskState, VmState } from './server.ts'

interface TagRow {
  server_id: string
  tag: string
}
interface MappingRow {
  server_id: string
  cell: string
  project_id: string
}
interface RequestSpecRow {
  server_id: string
  spec: RequestSpec
}

interface ExplanationRow {
  server_id: string
  at: string
  report: Explanation
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_servers: ServerRow
    compute_server_guest_data: GuestDataRow
    compute_server_tags: TagRow
    compute_server_mappings: MappingRow
    compute_request_specs: RequestSpecRow
    compute_server_explanations: ExplanationRow
  }
}

const servers = rows<ServerRow>('compute_servers', {
  json: ['image', 'flavor', 'metadata', 'trusted_image_certificates', 'fault'],
  bool: ['config_drive'],
  alike: ['image', 'flavor'],
})
const guestData = rows<GuestDataRow>('compute_server_guest_data', { json: ['personality'] })
const tags = rows<TagRow>('compute_server_tags')
const mappings = rows<MappingRow>('compute_server_mappings')
const requestSpecs = rows<RequestSpecRow>('compute_request_specs', { json: ['spec'] })

const explanations = rows<ExplanationRow>('compute_server_explanations', { json: ['report'] })

/** Servers that could not be placed live here. */
export const cell0 = 'cell0'
/** The cell of hosts that belong to no other. */
export const cell1 = 'cell1'

/** The databases of all cells, each once: several cells may share one. */
export function cellDatabases(cells: Cells): Db[] {
  return [...new Set([cells.for(cell0), cells.for(cell1)])]
}

/** Where a server's rows are; undefined when there is no such server. */
export async function cellOf(ctx: Ctx, id: string): Promise<Db | undefined> {
  const mapping = await mappings.find(ctx.db, { server_id: id })
  return mapping && ctx.cells.for(mapping.cell)
}

/** Those of the ids that servers have. */
export async function existing(ctx: Ctx, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>()
  for (let i = 0; i < ids.length; i += 500) {
    for (const { server_id } of await mappings.list(ctx.db, { server_id: ids.slice(i, i + 500) })) found.add(server_id)
  }
  return found
}

export async function findServer(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  const db = await cellOf(ctx, id)
  return db && servers.find(db, { id })
}

export interface NewServer {
  row: ServerRow
  cell: string
  spec: RequestSpec
  guestData: Omit<GuestDataRow, 'server_id'>
  tags: string[]
}

/** Writes a new server: its cell's rows and the global ones. */
export async function insertServer(ctx: Ctx, { row, cell, spec, guestData: data, tags: names }: NewServer) {
  const db = ctx.cells.for(cell)
  await mappings.insert(ctx.db, { server_id: row.id, cell, project_id: row.project_id })
  await requestSpecs.insert(ctx.db, { server_id: row.id, spec })
  await servers.insert(db, row)
  await guestData.insert(db, { server_id: row.id, ...data })
  await tags.insertMany(
    db,
    names.map(tag => ({ server_id: row.id, tag })),
  )
}

/** Changes a server, if it still is as `expected` says. False when someone else was faster, or it is gone. */
export async function updateServer(
  ctx: Ctx,
  id: string,
  patch: Partial<ServerRow>,
  expected: Where<ServerRow> = {},
): Promise<boolean> {
  const db = await cellOf(ctx, id)
  if (!db) return false
  const updated_at = new Date(ctx.clock.now()).toISOString()
  return (await servers.update(db, { ...expected, id }, { updated_at, ...patch })) > 0
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
  const db = await cellOf(ctx, row.id)
  if (!db) return
  if ((await servers.remove(db, { id: row.id })) === 0) return
  await archive(ctx, servers.table, row.id, { ...row, tags: await tagsOf(ctx, row.id) })
  await guestData.remove(db, { server_id: row.id })
  await tags.remove(db, { server_id: row.id })
  await leaveGroups(ctx, row.id)
  await requestSpecs.remove(ctx.db, { server_id: row.id })
  await mappings.remove(ctx.db, { server_id: row.id })
  await explanations.remove(ctx.db, { server_id: row.id })
}

/** Moves a server's rows to another cell. */
export async function moveToCell(ctx: Ctx, row: ServerRow, cell: string): Promise<void> {
  const from = await cellOf(ctx, row.id)
  const to = ctx.cells.for(cell)
  await mappings.update(ctx.db, { server_id: row.id }, { cell })
  if (!from || from === to) return
  const data = await guestData.find(from, { server_id: row.id })
  const named = await tags.list(from, { server_id: row.id })
  await servers.remove(from, { id: row.id })
  await guestData.remove(from, { server_id: row.id })
  await tags.remove(from, { server_id: row.id })
  await servers.insert(to, row)
  if (data) await guestData.insert(to, data)
  await tags.insertMany(to, named)
}

/** Servers of all cells in the order asked for. */
export async function listServers(
  ctx: Ctx,
  where: Where<ServerRow>,
  options: ListOptions<ServerRow> = {},
): Promise<ServerRow[]> {
  const parts = await Promise.all(cellDatabases(ctx.cells).map(db => servers.list(db, where, options)))
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

function compareBy(order: NonNullable<ListOptions<ServerRow>['orderBy']>, a: ServerRow, b: ServerRow): number {
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
}

/** What a project's servers use of its quota. */
export async function usageOf(ctx: Ctx, project: string): Promise<ProjectUsage> {
  const usage: ProjectUsage = { instances: 0, cores: 0, ram: 0 }
  for (const db of cellDatabases(ctx.cells)) {
    const part = await db
      .selectFrom('compute_servers')
      .select([
        sql<number>`count(*)`.as('instances'),
        sql<number>`coalesce(sum(vcpus), 0)`.as('cores'),
        sql<number>`coalesce(sum(memory_mb), 0)`.as('ram'),
      ])
      .where('project_id', '=', project)
      .executeTakeFirstOrThrow()
    usage.instances += Number(part.instances)
    usage.cores += Number(part.cores)
    usage.ram += Number(part.ram)
  }
  return usage
}

export async function guestDataOf(ctx: Ctx, id: string): Promise<GuestDataRow | undefined> {
  const db = await cellOf(ctx, id)
  return db && guestData.find(db, { server_id: id })
}

/** Guest data by server id, for lists. */
export async function guestDataOfMany(ctx: Ctx, ids: string[]): Promise<Map<string, GuestDataRow>> {
  const parts = await Promise.all(cellDatabases(ctx.cells).map(db => guestData.list(db, { server_id: ids })))
  return new Map(parts.flat().map(row => [row.server_id, row]))
}

export async function forgetAdminPassword(ctx: Ctx, id: string): Promise<void> {
  const db = await cellOf(ctx, id)
  if (db) await guestData.update(db, { server_id: id }, { admin_password: null })
}

/** Keeps the encrypted password that a guest reports; false when it has reported one before. */
export async function keepGuestPassword(ctx: Ctx, id: string, encrypted_password: string): Promise<boolean> {
  const db = await cellOf(ctx, id)
  if (!db) return false
  return (await guestData.update(db, { server_id: id, encrypted_password: null }, { encrypted_password })) > 0
}

export async function forgetGuestPassword(ctx: Ctx, id: string): Promise<void> {
  const db = await cellOf(ctx, id)
  if (db) await guestData.update(db, { server_id: id }, { encrypted_password: null })
}

export async function requestSpecOf(ctx: Ctx, id: string): Promise<RequestSpec | undefined> {
  return (await requestSpecs.find(ctx.db, { server_id: id }))?.spec
}

/** Request specs by server id. */
export async function requestSpecsOf(ctx: Ctx, ids: string[]): Promise<Map<string, RequestSpec>> {
  const found = await requestSpecs.list(ctx.db, { server_id: ids })
  return new Map(found.map(row => [row.server_id, row.spec]))
}

export async function tagsOf(ctx: Ctx, id: string): Promise<string[]> {
  return (await tagsOfMany(ctx, [id])).get(id) ?? []
}

/** Tags by server id, in alphabetical order. */
export async function tagsOfMany(ctx: Ctx, ids: string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>(ids.map(id => [id, []]))
  for (const db of cellDatabases(ctx.cells)) {
    const named = await tags.list(db, { server_id: ids }, { orderBy: [{ column: 'tag', direction: 'asc' }] })
    for (const { server_id, tag } of named) found.get(server_id)?.push(tag)
  }
  return found
}

export async function setTags(ctx: Ctx, id: string, names: string[]): Promise<void> {
  const db = await cellOf(ctx, id)
  if (!db) return
  await tags.remove(db, { server_id: id })
  await tags.insertMany(
    db,
    names.map(tag => ({ server_id: id, tag })),
  )
}

/** How many of the servers are on each host. */
export async function hostsOfServers(ctx: Ctx, ids: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { host } of await listServers(ctx, { id: ids })) {
    if (host !== null) counts[host] = (counts[host] ?? 0) + 1
  }
  return counts
}

/** Keeps why a server could not be placed; the newest explanation counts. */
export async function keepExplanation(ctx: Ctx, id: string, report: Explanation): Promise<void> {
  await explanations.remove(ctx.db, { server_id: id })
  await explanations.insert(ctx.db, { server_id: id, at: new Date(ctx.clock.now()).toISOString(), report })
}

export function explanationOf(ctx: Ctx, id: string): Promise<ExplanationRow | undefined> {
  return explanations.find(ctx.db, { server_id: id })
}

/** Servers that are gone, newest first, as they were at their end: a page of them, unless `limit` says how many. */
export async function deletedServers(ctx: Ctx, since: string | undefined, limit?: number): Promise<ServerRow[]> {
  const options = { ...(since !== undefined && { since }), ...(limit !== undefined && { limit }) }
  const found = await archived<ServerRow>(ctx, servers.table, options)
  return found.map(({ deleted_at, ...row }) => ({ ...row, terminated_at: deleted_at, updated_at: deleted_at }))
}

/** Servers by tags: with all, with any, without all, without any of them. */
export function tagCondition(
  eb: AnyBuilder,
  kind: 'tags' | 'tags-any' | 'not-tags' | 'not-tags-any',
  names: string[],
): Expression<SqlBool> {
  const tagged = eb.selectFrom('compute_server_tags').select('server_id').where('tag', 'in', names)
  const all = tagged.groupBy('server_id').having(eb.fn.count('tag'), '=', new Set(names).size)
  switch (kind) {
    case 'tags':
      return eb('id', 'in', all)
    case 'tags-any':
      return eb('id', 'in', tagged)
    case 'not-tags':
      return eb('id', 'not in', all)
    case 'not-tags-any':
      return eb('id', 'not in', tagged)
  }
}

/** A server that is gone, for as long as its row is kept. */
export async function deletedServer(ctx: Ctx, id: string): Promise<ServerRow | undefined> {
  const [found] = await archived<ServerRow>(ctx, servers.table, { id })
  if (!found) return undefined
  const { deleted_at, ...row } = found
  return { ...row, terminated_at: deleted_at }
}
