/** Groups of users. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import { type UserRow, users } from '../users/store.ts'

export interface GroupRow {
  id: string
  name: string
  domain_id: string
  description: string
  extra: Record<string, unknown>
}

export interface Membership {
  group_id: string
  user_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_groups: GroupRow
    identity_memberships: Membership
  }
}

export const groups = rows<GroupRow>('identity_groups', { json: ['extra'] })
export const memberships = rows<Membership>('identity_memberships')

export async function usersOfGroup(db: Db, groupId: string): Promise<UserRow[]> {
  const { rows: found } = await sql<Record<string, unknown>>`
    select u.* from identity_users u join identity_memberships m on m.user_id = u.id
    where m.group_id = ${groupId} order by u.id
  `.execute(db)
  return found.map(users.decode)
}

export async function groupsOfUser(db: Db, userId: string): Promise<GroupRow[]> {
  const { rows: found } = await sql<Record<string, unknown>>`
    select g.* from identity_groups g join identity_memberships m on m.group_id = g.id
    where m.user_id = ${userId} order by g.id
  `.execute(db)
  return found.map(groups.decode)
}
