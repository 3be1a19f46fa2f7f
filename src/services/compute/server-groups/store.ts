/** Server groups in the database, and which servers are in them. */
import type { Ctx } from '#kernel/context.ts'
import { lock } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { NotFound, OverQuota } from '#kernel/errors.ts'
import { isAdmin } from '../dialect.ts'
import { quotaLimits, within } from '../quotas/quota.ts'
import { tellGroup } from '../resource-events.ts'
import type { Group, ServerGroupRow } from './server-group.ts'

interface MemberRow {
  /** A server is in one group at most. */
  server_id: string
  group_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_server_groups: ServerGroupRow
    compute_server_group_members: MemberRow
  }
}

export const serverGroups = rows<ServerGroupRow>('compute_server_groups', { json: ['rules'] })
export const groupMembers = rows<MemberRow>('compute_server_group_members')

/** A group that the caller may see; throws `NotFound` in Nova's words. */
export async function serverGroupFor(ctx: Ctx, id: string): Promise<ServerGroupRow> {
  const row = await serverGroups.find(ctx.db, { id })
  if (row && (row.project_id === ctx.identity.project_id || isAdmin(ctx))) return row
  throw new NotFound(`Instance group ${id} could not be found.`)
}

/** Ids of servers by group. */
export async function membersOf(ctx: Ctx, groupIds: string[]): Promise<Map<string, string[]>> {
  const found = await groupMembers.list(
    ctx.db,
    { group_id: groupIds },
    { orderBy: [{ column: 'server_id', direction: 'asc' }] },
  )
  const byGroup = Map.groupBy(found, row => row.group_id)
  return new Map(groupIds.map(id => [id, (byGroup.get(id) ?? []).map(row => row.server_id)]))
}

/** A group as the scheduler needs it; undefined when the caller has no such group. */
export async function groupOf(ctx: Ctx, id: string): Promise<Group | undefined> {
  const row = await serverGroups.find(ctx.db, { id })
  if (!row || (row.project_id !== ctx.identity.project_id && !isAdmin(ctx))) return undefined
  return { policy: row.policy, rules: row.rules, members: (await membersOf(ctx, [id])).get(id)! }
}

/** Ids of the groups that a server is in: none or one. */
export async function groupsOf(ctx: Ctx, serverId: string): Promise<string[]> {
  return (await groupMembers.list(ctx.db, { server_id: serverId })).map(row => row.group_id)
}

/** Who is given a host for the sake of its group, or joins it, waits for others of it: they would not see one another. In a transaction. */
export const holdGroup = (ctx: Ctx, groupId: string): Promise<void> =>
  lock(ctx.db, ctx.database.engine, `compute server group ${groupId}`)

/** Puts a server in a group, in the transaction that makes the server. Throws when the group is full. */
export async function joinGroup(ctx: Ctx, groupId: string, serverId: string): Promise<void> {
  await holdGroup(ctx, groupId)
  const limits = await quotaLimits(ctx, ctx.identity.project_id ?? '', ctx.identity.user_id)
  if (!within(limits.server_group_members, await groupMembers.count(ctx.db, { group_id: groupId })))
    throw new OverQuota('Quota exceeded, too many servers in group')
  await groupMembers.insert(ctx.db, { server_id: serverId, group_id: groupId })
  const row = await serverGroups.find(ctx.db, { id: groupId })
  if (row) await tellGroup(ctx, 'add_member', row, (await membersOf(ctx, [groupId])).get(groupId)!)
}

/** Takes a server that goes out of its group. */
export async function leaveGroups(ctx: Ctx, serverId: string): Promise<void> {
  await groupMembers.remove(ctx.db, { server_id: serverId })
}
