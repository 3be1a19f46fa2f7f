/** What is to be done in guests, in the database, beside the servers' own rows. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { cellDatabases, lastCellOf } from '../store-cells.ts'
import type { GuestWork, GuestWorkRow } from './guest-work.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_guest_works: GuestWorkRow
  }
}

const guestWorks = rows<GuestWorkRow>('compute_guest_works')

/** Also when it is being done: then it is to be done again. */
export async function addWork(ctx: Ctx, server_id: string, work: GuestWork): Promise<void> {
  const db = await lastCellOf(ctx, server_id)
  if (!db) return
  await guestWorks.remove(db, { server_id, work })
  await guestWorks.insert(db, { server_id, work, status: 'waiting' })
}

/** False when it is not to be done any more, or somebody else was faster. */
export async function changeWork(
  ctx: Ctx,
  { server_id, work, status }: GuestWorkRow,
  next: GuestWorkRow['status'] | 'done',
): Promise<boolean> {
  const db = await lastCellOf(ctx, server_id)
  if (!db) return false
  const is = { server_id, work, status }
  const changed = next === 'done' ? guestWorks.remove(db, is) : guestWorks.update(db, is, { status: next })
  return (await changed) > 0
}

export async function waitingWorks(ctx: Ctx): Promise<GuestWorkRow[]> {
  return (await Promise.all(cellDatabases(ctx.cells).map(db => guestWorks.list(db, { status: 'waiting' })))).flat()
}

export const removeWorks = (db: Db, server_id: string) => guestWorks.remove(db, { server_id })
