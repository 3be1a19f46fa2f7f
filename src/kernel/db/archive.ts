/** Deleted rows go here in the transaction of their deletion, and age out. */
import type { Ctx } from '../context.ts'
import { rows } from './rows.ts'

export interface ArchiveRow {
  /** The table it came from. */
  source: string
  id: string
  deleted_at: string
  row: Record<string, unknown>
}

declare module './database.ts' {
  interface Tables {
    kernel_archive: ArchiveRow
  }
}

const table = rows<ArchiveRow>('kernel_archive', { json: ['row'] })

/** Keeps a deleted row. Call it beside the delete, in the same transaction. */
export function archive(ctx: Ctx, source: string, id: string, row: object): Promise<void> {
  return table.insert(ctx.db, {
    source,
    id,
    deleted_at: new Date(ctx.clock.now()).toISOString(),
    row: row as Record<string, unknown>,
  })
}

/** Deleted rows of a table, newest first. */
export async function archived<Row>(
  ctx: Ctx,
  source: string,
  options: { id?: string | readonly string[]; since?: string; limit?: number } = {},
): Promise<(Row & { deleted_at: string })[]> {
  const found = await table.list(
    ctx.db,
    { source, id: options.id, ...(options.since && { deleted_at: { op: '>=', value: options.since } }) },
    {
      orderBy: [
        { column: 'deleted_at', direction: 'desc' },
        { column: 'id', direction: 'asc' },
      ],
      limit: options.limit ?? 1000,
    },
  )
  return found.map(entry => ({ ...(entry.row as Row), deleted_at: entry.deleted_at }))
}

/** Forgets rows that were deleted before a time (ISO 8601); says how many. */
export function expireArchive(ctx: Ctx, before: string): Promise<number> {
  return table.remove(ctx.db, { deleted_at: { op: '<', value: before } })
}

/** Whether a row of the table with this id was deleted and is still remembered. */
export async function archivedBefore(ctx: Ctx, source: string, id: string): Promise<boolean> {
  return (await table.find(ctx.db, { source, id })) !== undefined
}
