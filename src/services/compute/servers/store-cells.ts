/** Which cell each server is in. */
import { type Cells, type Ctx, perCloud } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

interface MappingRow {
  server_id: string
  cell: string
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

/** How many servers are mapped to a cell. */
export const serversIn = (ctx: Ctx, cell: string): Promise<number> => mappings.count(ctx.db, { cell })

/** The databases of all cells, each once: several cells may share one. */
export function cellDatabases(cells: Cells): Db[] {
  return [...new Set([cells.for(cell0), cells.for(cell1)])]
}

/** Where a server's rows are; undefined when there is no such server. */
export async function cellOf(ctx: Ctx, id: string): Promise<Db | undefined> {
  const mapping = await mappings.find(ctx.db, { server_id: id })
  return mapping && ctx.cells.for(mapping.cell)
}

const mostRemembered = 10_000
const remembered = perCloud(() => new Map<string, string>())

/** Where a server's rows are or were. A server stays in its cell, so that the database is asked once; whether it is still there, its row says. */
export async function lastCellOf(ctx: Ctx, id: string): Promise<Db | undefined> {
  const known = remembered(ctx)
  const cell = known.get(id) ?? (await mappings.find(ctx.db, { server_id: id }))?.cell
  if (cell === undefined) return undefined
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
