/** Roles and what follows from having one. */
import type { Ctx } from '#kernel/context.ts'
import { linkTo } from '../listing.ts'
import { perGeneration } from '../revocations/revocation.ts'
import { impliedRoles, type RoleRow, roles } from './store.ts'

/** A role that the cloud always has, by name, with the one that it implies. */
export const builtInRoles = [
  { name: 'admin', implies: 'manager' },
  { name: 'manager', implies: 'member' },
  { name: 'member', implies: 'reader' },
  { name: 'reader', implies: undefined },
  { name: 'service', implies: undefined },
]

interface RoleGraph {
  byId: Map<string, RoleRow>
  implied: Map<string, string[]>
}

const graph = perGeneration(async (ctx): Promise<RoleGraph> => {
  const implied = new Map<string, string[]>()
  for (const { prior_role_id, implied_role_id } of await impliedRoles.list(ctx.db)) {
    implied.set(prior_role_id, [...(implied.get(prior_role_id) ?? []), implied_role_id])
  }
  return { byId: new Map((await roles.list(ctx.db)).map(role => [role.id, role])), implied }
})

/** The roles and all that they imply, each with the role it follows from; a role given directly follows from itself. `at`: see `perGeneration`. */
export async function withImplied(ctx: Ctx, ids: readonly string[], at?: number): Promise<Map<string, string>> {
  const { implied } = await graph(ctx, at)
  const found = new Map(ids.map(id => [id, id]))
  const queue = [...ids]
  for (let prior = queue.shift(); prior !== undefined; prior = queue.shift()) {
    for (const next of implied.get(prior) ?? []) {
      if (found.has(next)) continue
      found.set(next, prior)
      queue.push(next)
    }
  }
  return found
}

/** The roles that a token shows: implied ones included, those of a domain not. Sorted by name. */
export async function tokenRoles(
  ctx: Ctx,
  ids: readonly string[],
  at?: number,
): Promise<{ id: string; name: string }[]> {
  const { byId } = await graph(ctx, at)
  return [...(await withImplied(ctx, ids, at)).keys()]
    .flatMap(id => byId.get(id) ?? [])
    .filter(role => role.domain_id === null)
    .map(({ id, name }) => ({ id, name }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export function roleView(ctx: Ctx, row: RoleRow) {
  const { extra, id, name, domain_id, description, options } = row
  return { ...extra, id, name, domain_id, description, options, links: linkTo(ctx, `roles/${id}`) }
}
