/** Servers that are gone, as long as their rows are kept. */
import type { Ctx } from '#kernel/context.ts'
import { archived } from '#kernel/db/archive.ts'
import type { ServerRow } from './server.ts'

const most = 100_000

/** Servers deleted since a time (ISO 8601), newest first. */
export function deletedServers(ctx: Ctx, since: string): Promise<(ServerRow & { deleted_at: string })[]> {
  return archived<ServerRow>(ctx, 'compute_servers', { since, limit: most })
}
