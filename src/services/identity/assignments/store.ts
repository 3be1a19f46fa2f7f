/** Who has which role where. Queries over groups and targets are written by hand. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface Assignment {
  actor_type: 'user' | 'group'
  actor_id: string
  target_type: 'project' | 'domain' | 'system'
  /** `system` for the system. */
  target_id: string
  role_id: string
  /** It holds for the projects below the target, and not for the target. */
  inherited: boolean
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_assignments: Assignment
  }
}

export const assignments = rows<Assignment>('identity_assignments', { bool: ['inherited'] })

/** The user itself, or one of its groups; those that an identity provider's mapping put it in count until they end. */
const heldBy = (userId: string, now: number) => sql`((a.actor_type = 'user' and a.actor_id = ${userId})
  or (a.actor_type = 'group' and a.actor_id in (
    select group_id from identity_memberships where user_id = ${userId}
    union all
    select group_id from identity_federated_memberships where user_id = ${userId} and valid_until > ${now})))`

/** What the user has by itself and by its groups, anywhere. */
export async function assignmentsOfUser(db: Db, userId: string, now: number): Promise<Assignment[]> {
  const { rows: found } = await sql<Record<string, unknown>>`
    select a.* from identity_assignments a where ${heldBy(userId, now)}
  `.execute(db)
  return found.map(assignments.decode)
}

/** Ids of the roles that the user has on the target; on a project also those inherited from what is above it. */
export async function rolesOnTarget(
  db: Db,
  userId: string,
  target: Pick<Assignment, 'target_type' | 'target_id'>,
  now: number,
): Promise<string[]> {
  const { target_type, target_id } = target
  const { rows: found } = await sql<{ role_id: string }>`
    with recursive above (id, parent_id) as (
      select id, parent_id from identity_projects where id = ${target_id} and ${target_type} = 'project'
      union
      select p.id, p.parent_id from identity_projects p join above on p.id = above.parent_id
    )
    select distinct a.role_id from identity_assignments a where ${heldBy(userId, now)} and (
      (a.inherited = 0 and a.target_type = ${target_type} and a.target_id = ${target_id})
      or (a.inherited = 1 and a.target_id in (select parent_id from above)))
    order by a.role_id
  `.execute(db)
  return found.map(row => row.role_id)
}
