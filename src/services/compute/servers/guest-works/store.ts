/** What is to be done in guests, in the database, beside the servers' own rows. */
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { cellDatabases, lastCellOf } from '../store-cells.ts'
import { findServer } from '../store-servers.ts'
import type { GuestAgentRow, GuestWork, GuestWorkRow } from './guest-work.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_guest_works: GuestWorkRow
    compute_guest_agents: GuestAgentRow
  }
}

const guestAgents = rows<GuestAgentRow>('compute_guest_agents')
const guestWorks = rows<GuestWorkRow>('compute_guest_works')

/** Also when it is being done: then it is to be done again. */
export async function addWork(ctx: Ctx, server_id: string, work: GuestWork): Promise<void> {
  const db = await lastCellOf(ctx, server_id)
  if (db) await guestWorks.put(db, ['server_id', 'work'], [{ server_id, work, status: 'waiting' }])
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

/** How many are being done. */
export async function worksRunning(ctx: Ctx, work: GuestWork): Promise<number> {
  const counts = cellDatabases(ctx.cells).map(db => guestWorks.count(db, { work, status: 'running' }))
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

export async function guestAgentOf(ctx: Ctx, server_id: string): Promise<GuestAgentRow | undefined> {
  const db = await lastCellOf(ctx, server_id)
  return db && guestAgents.find(db, { server_id })
}

export async function keepGuestAgent(ctx: Ctx, row: Omit<GuestAgentRow, 'updated_at'>): Promise<void> {
  const updated_at = new Date(ctx.clock.now()).toISOString()
  await ctx.transaction(async tx => {
    const db = await lastCellOf(tx, row.server_id)
    if (!db || !(await findServer(tx, row.server_id))) return
    await guestAgents.put(db, ['server_id'], [{ ...row, updated_at }])
  })
}

/** Nothing is to be done in its guest, and nothing is known of it. */
export async function forgetWorks(ctx: Ctx, server_id: string): Promise<void> {
  const db = await lastCellOf(ctx, server_id)
  if (db) await removeWorks(db, server_id)
}

export async function removeWorks(db: Db, server_id: string): Promise<void> {
  await guestWorks.remove(db, { server_id })
  await guestAgents.remove(db, { server_id })
}
