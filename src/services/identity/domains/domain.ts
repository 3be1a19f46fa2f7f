/** The end of a domain. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden } from '#kernel/errors.ts'
import { assignments } from '../assignments/store.ts'
import { directoryEntries } from '../directory/store.ts'
import { domainOptions } from '../domain-config/store.ts'
import { leaveGroup } from '../federation/federation.ts'
import { groups, memberships } from '../groups/store.ts'
import { limits } from '../limits/store.ts'
import { removeProjectTraces } from '../projects/project.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { announce } from '../revocations/revocation.ts'
import { impliedRoles, roles } from '../roles/store.ts'
import { users } from '../users/store.ts'
import { removeUserTraces } from '../users/user.ts'

/** Removes all that is in a disabled domain; the row itself is the caller's. */
export async function removeDomain(ctx: Ctx, row: ProjectRow): Promise<void> {
  if (row.enabled) throw new Forbidden('Cannot delete a domain that is enabled, please disable it first.')
  const within = { domain_id: row.id }
  await announce(ctx, within)
  for (const project of await projects.list(ctx.db, within)) await removeProjectTraces(ctx, project)
  await projects.remove(ctx.db, within)
  for (const user of await users.list(ctx.db, within)) await removeUserTraces(ctx, user)
  await users.remove(ctx.db, within)
  for (const group of await groups.list(ctx.db, within)) {
    await memberships.remove(ctx.db, { group_id: group.id })
    await leaveGroup(ctx, group.id)
    await assignments.remove(ctx.db, { actor_type: 'group', actor_id: group.id })
  }
  await groups.remove(ctx.db, within)
  const roleIds = (await roles.list(ctx.db, within)).map(role => role.id)
  await impliedRoles.remove(ctx.db, { prior_role_id: roleIds })
  await impliedRoles.remove(ctx.db, { implied_role_id: roleIds })
  await assignments.remove(ctx.db, { role_id: roleIds })
  await roles.remove(ctx.db, within)
  await assignments.remove(ctx.db, { target_type: 'domain', target_id: row.id })
  await domainOptions.remove(ctx.db, within)
  await directoryEntries.remove(ctx.db, within)
  await limits.remove(ctx.db, within)
}
