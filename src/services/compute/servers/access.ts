/** Who may reach a server: loading it for an operation, and the lock on it. */
import type { Ctx } from '#kernel/context.ts'
import { Conflict, NotFound } from '#kernel/errors.ts'
import { isAdmin } from '../dialect.ts'
import type { ServerRow } from './server.ts'
import { findServer } from './store.ts'

/** The server, if the caller may know that it exists. */
export async function loadServer(ctx: Ctx, { params }: { params: { server_id: string } }): Promise<ServerRow> {
  const server = await findServer(ctx, params.server_id)
  if (!server || (server.project_id !== ctx.identity.project_id && !isAdmin(ctx))) {
    throw new NotFound(`Instance ${params.server_id} could not be found.`)
  }
  return server
}

/** Locked servers are for admins only. */
export function requireUnlocked(ctx: Ctx, server: ServerRow): void {
  if (server.locked_by !== null && !isAdmin(ctx)) throw new Conflict(`Instance ${server.id} is locked`)
}
