/** Rows of the cache: which images this node keeps a copy of, or is to. */
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface CachedRow {
  node: string
  image_id: string
  /** queued, cached */
  state: string
  /** The name of the file. */
  blob: string | null
  size: number
  hits: number
  last_accessed: string
  last_modified: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    image_cached: CachedRow
  }
}

export const cached = rows<CachedRow>('image_cached')

/** Queues an image; one that is cached or queued stays so. */
export async function enqueue(db: Db, row: CachedRow): Promise<void> {
  await db
    .insertInto('image_cached')
    .values(row)
    .onConflict(c => c.doNothing())
    .execute()
}
