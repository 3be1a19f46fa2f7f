/** What the caller may do with networks that are not its own. */
import type { Ctx } from '#kernel/context.ts'
import { seesAll } from '#kernel/resource.ts'
import { grantsFor } from '../rbac/store.ts'
import type { NetworkRow } from './store.ts'

export interface Access {
  /** Ports may be made on it. */
  shared: boolean
  /** Routers may lead outside through it, floating IPs come from it. */
  external: boolean
  /** It is there at all. */
  seen: boolean
}

export const noAccess: Access = { shared: false, external: false, seen: false }

/** By the network's id. */
export async function accessTo(
  ctx: Ctx,
  networks: readonly NetworkRow[],
  projectId: string = ctx.identity.project_id ?? '',
): Promise<Map<string, Access>> {
  const grants = await grantsFor(
    ctx.db,
    networks.map(network => network.id),
    projectId,
  )
  return new Map(
    networks.map(({ id, project_id, external: leadsOutside }) => {
      const given = (action: string) => grants.some(grant => grant.object_id === id && grant.action === action)
      const [shared, external] = [given('access_as_shared'), given('access_as_external')]
      const all = project_id === projectId || seesAll(ctx)
      return [id, { shared, external: leadsOutside && (external || all), seen: shared || external || all }]
    }),
  )
}
