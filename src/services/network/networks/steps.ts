/** What the caller may do with networks that are not its own. */
import type { Ctx } from '#kernel/context.ts'
import { seesAll } from '#kernel/resource-access.ts'
import { grantsFor, type RbacAction } from '../rbac/store.ts'
import { type NetworkFacts, networksWithGrants } from './store.ts'

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
  networks: readonly NetworkFacts[],
  projectId: string = ctx.identity.project_id ?? '',
): Promise<Map<string, Access>> {
  const grants = await grantsFor(
    ctx.db,
    networks.map(network => network.id),
    projectId,
  )
  const granted = Map.groupBy(grants, grant => grant.object_id)
  return new Map(
    networks.map(network => {
      const actions = (granted.get(network.id) ?? []).map(grant => grant.action)
      return [network.id, accessBy(ctx, network, actions, projectId)]
    }),
  )
}

function accessBy(ctx: Ctx, network: NetworkFacts, actions: readonly RbacAction[], projectId: string): Access {
  const [shared, external] = [actions.includes('access_as_shared'), actions.includes('access_as_external')]
  const all = network.project_id === projectId || seesAll(ctx)
  return { shared, external: network.external && (external || all), seen: shared || external || all }
}

/** Of things that are on networks: what policy may name of these and what is shown of them, with what the caller may do there; by the network's id. */
export async function networksAround(
  ctx: Ctx,
  items: readonly { network_id: string }[],
): Promise<Map<string, NetworkFacts & { access: Access }>> {
  const projectId = ctx.identity.project_id ?? ''
  const ids = [...new Set(items.map(item => item.network_id))]
  const found = await networksWithGrants(ctx.db, ids, projectId)
  return new Map(
    found.map(({ actions, ...network }) => [
      network.id,
      { ...network, access: accessBy(ctx, network, actions, projectId) },
    ]),
  )
}
