/** Which cell each server is in. */
import { type Cells, type Ctx, perCloud } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

interface MappingRow {
  server_id: string
  /** Null: the server is not placed yet, and a build request is kept of it. */
  cell: string | null
  project_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_server_mappings: MappingRow
  }
}

export const mappings = rows<MappingRow>('compute_server_mappings')

/** Servers that could not be placed live here. */
export const cell0 = 'cell0'
/** The cell of hosts that belong to no other. */
export const cell1 = 'cell1'

/** How many servers are mapped to a cell; null: to none yet. */
export const serversIn = (ctx: Ctx, cell: string | null): Promise<number> => mappings.count(ctx.db, { cell })

/** A server without a cell waits where those are that could not be placed: beside the global tables. */
export const databaseOf = (cells: Cells, cell: string | null): Db => cells.for(cell ?? cell0)

/** The databases of all cells, each once: several cells may share one. */
export function cellDatabases(cells: Cells): Db[] {
  return [...new Set([cells.for(cell0), cells.for(cell1)])]
}

/** Where a server's rows are; undefined when there is no such server. */
export async function cellOf(ctx: Ctx, id: string): Promise<Db | undefined> {
  const mapping = await mappings.find(ctx.db, { server_id: id })
  return mapping && databaseOf(ctx.cells, mapping.cell)
}

const mostRemembered = 10_000
const remembered = perCloud(() => new Map<string, string>())

/** Where a server's rows are or were. A server stays in its cell once it has one, so that the database is asked once; whether it is still there, its row says. */
export async function lastCellOf(ctx: Ctx, id: string): Promise<Db | undefined> {
  const known = remembered(ctx)
  const cell = known.get(id) ?? (await mappings.find(ctx.db, { server_id: id }))?.cell
  if (cell === undefined) return undefined
  if (cell === null) return databaseOf(ctx.cells, cell)
  if (known.size >= mostRemembered && !known.has(id)) known.delete(known.keys().next().value!)
  known.set(id, cell)
  return ctx.cells.for(cell)
}

/** Those of the ids that servers have. */
export async function existing(ctx: Ctx, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>()
  for (let i = 0; i < ids.length; i += 500) {
    for (const { server_id } of await mappings.list(ctx.db, { server_id: ids.slice(i, i + 500) })) found.add(server_id)
  }
  return found
}
