/** What is to be done in guests, in the database, beside the servers' own rows. */
import { sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { notSilent, silentAgain } from '../software/silence.ts'
import { hasNews, mayBeAsked } from '../software/store.ts'
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
  if (db) await guestWorks.put(db, ['server_id', 'work'], [{ server_id, work, status: 'waiting', ...notSilent }])
}

type WorkKey = Pick<GuestWorkRow, 'server_id' | 'work'>

/** False when it is not to be done any more, or somebody else was faster. */
export async function beginWork(ctx: Ctx, { id: server_id, work, has_news }: DueWork): Promise<boolean> {
  const db = await lastCellOf(ctx, server_id)
  if (!db) return false
  const patch = { status: 'running', ...(has_news && notSilent) } as const
  return (await guestWorks.update(db, { server_id, work, status: 'waiting' }, patch)) > 0
}

/** It waits for its server, or for an agent that did not answer; or it is done. Not one that is to be done again. */
export async function endWork(ctx: Ctx, { server_id, work }: WorkKey, how: 'asleep' | 'lost' | 'done'): Promise<void> {
  const db = await lastCellOf(ctx, server_id)
  if (!db) return
  const is = { server_id, work, status: 'running' } as const
  const row = how === 'lost' && (await guestWorks.find(db, is))
  const silence = row ? silentAgain(ctx.clock.now(), row) : notSilent
  if (how === 'done') await guestWorks.remove(db, is)
  else await guestWorks.update(db, is, { status: 'waiting', ...silence })
}

export interface DueWork {
  /** The server's. */
  id: string
  project_id: string
  user_id: string
  work: GuestWork
  has_news: boolean
}

/** What can be done now, at most so many: first what nobody was waited for yet. */
export async function dueWorks(ctx: Ctx, work: GuestWork, limit: number): Promise<DueWork[]> {
  const now = new Date(ctx.clock.now()).toISOString()
  const found = await Promise.all(
    cellDatabases(ctx.cells).map(db =>
      sql<Omit<DueWork, 'has_news'> & { has_news: number | boolean }>`
        select s.id, s.project_id, s.user_id, w.work, ${hasNews} as has_news
        from compute_guest_works w join compute_servers s on s.id = w.server_id
        where w.status = 'waiting' and w.work = ${work} and ${mayBeAsked(now)}
        order by w.silences, s.id limit ${limit}`.execute(db),
    ),
  )
  const due = found.flatMap(({ rows }) => rows.map(row => ({ ...row, has_news: Boolean(row.has_news) })))
  return due.slice(0, limit)
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
