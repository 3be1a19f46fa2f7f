/** Guests that have to be destroyed on a host which could not be reached when their server went. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'

export interface CleanupRow {
  server_id: string
  host: string
  created_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_host_cleanups: CleanupRow
  }
}

const cleanups = rows<CleanupRow>('compute_host_cleanups')

/** Twice is the same as once. */
export async function rememberCleanup(ctx: Ctx, host: string, serverId: string): Promise<void> {
  const created_at = new Date(ctx.clock.now()).toISOString()
  await cleanups.insertNew(ctx.db, { server_id: serverId, host, created_at })
}

export async function forgetCleanup(ctx: Ctx, host: string, serverId: string): Promise<void> {
  await cleanups.remove(ctx.db, { host, server_id: serverId })
}

const oldest = { orderBy: [{ column: 'created_at' as const, direction: 'asc' as const }], limit: 1000 }

/** The oldest of each host: one that stays away does not keep others from their turn. */
export async function pendingCleanups(ctx: Ctx): Promise<CleanupRow[]> {
  const hosts = await ctx.db.selectFrom('compute_host_cleanups').select('host').distinct().execute()
  const found: CleanupRow[] = []
  for (const { host } of hosts) found.push(...(await cleanups.list(ctx.db, { host }, oldest)))
  return found
}

/** Hosts that have something of a server which has to go. */
export async function cleanupHosts(ctx: Ctx, serverId: string): Promise<string[]> {
  return (await cleanups.list(ctx.db, { server_id: serverId })).map(row => row.host)
}
