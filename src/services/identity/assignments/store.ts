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

/** What the user has by itself and by its groups, anywhere; those that an identity provider's mapping put it in count until they end. */
export async function assignmentsOfUser(db: Db, userId: string, now: number): Promise<Assignment[]> {
  const { rows: found } = await sql<Record<string, unknown>>`
    select a.* from identity_assignments a
    where (a.actor_type = 'user' and a.actor_id = ${userId})
       or (a.actor_type = 'group' and a.actor_id in (
         select group_id from identity_memberships where user_id = ${userId}
         union all
         select group_id from identity_federated_memberships where user_id = ${userId} and valid_until > ${now}))
  `.execute(db)
  return found.map(assignments.decode)
}
