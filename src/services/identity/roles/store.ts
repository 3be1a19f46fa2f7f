/** Roles, and which role implies which. */
import { rows } from '#kernel/db/rows.ts'

export interface RoleRow {
  id: string
  name: string
  /** Set for a role of one domain, which only matters by what it implies. */
  domain_id: string | null
  description: string | null
  options: Record<string, unknown>
  extra: Record<string, unknown>
}

export interface ImpliedRole {
  prior_role_id: string
  implied_role_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_roles: RoleRow
    identity_implied_roles: ImpliedRole
  }
}

export const roles = rows<RoleRow>('identity_roles', { json: ['options', 'extra'] })
export const impliedRoles = rows<ImpliedRole>('identity_implied_roles')
