/** Build requests: servers that have no host yet, and what each asked for that its own row does not say. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { NetworkRequest } from '../../network/contract.ts'
import { mappings } from './store-cells.ts'

/** What is claimed for a server once it has its host. */
export interface Claims {
  networks: NetworkRequest
  security_groups: string[]
}

interface BuildRequestRow extends Claims {
  server_id: string
  created_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_build_requests: BuildRequestRow
  }
}

const buildRequests = rows<BuildRequestRow>('compute_build_requests', {
  json: ['networks', 'security_groups'],
  alike: ['networks', 'security_groups'],
})

/** For servers that were written without a cell. */
export function keepBuildRequests(
  ctx: Ctx,
  ids: readonly string[],
  { networks, security_groups }: Claims,
): Promise<void> {
  const created_at = new Date(ctx.clock.now()).toISOString()
  return buildRequests.insertMany(
    ctx.db,
    ids.map(server_id => ({ server_id, networks, security_groups, created_at })),
  )
}

export const claimsOf = (ctx: Ctx, id: string): Promise<Claims | undefined> =>
  buildRequests.find(ctx.db, { server_id: id })

/** Servers that have had no cell get theirs, and their build requests are done with. In a transaction. */
export async function settle(ctx: Ctx, ids: readonly string[], cell: string): Promise<void> {
  await mappings.update(ctx.db, { server_id: ids, cell: null }, { cell })
  await buildRequests.remove(ctx.db, { server_id: ids })
}

export async function removeBuildRequest(ctx: Ctx, id: string): Promise<void> {
  await buildRequests.remove(ctx.db, { server_id: id })
}
