/** Who asks, as policy rules see it: the names are those that rules write on the left of a colon. */

export interface Credentials {
  user_id: string
  user_domain_id?: string
  project_id?: string
  project_domain_id?: string
  /** Set for a token that is scoped to a domain. */
  domain_id?: string
  /** Set for a token that is scoped to the system. */
  system_scope?: 'all'
  /** Names of the roles, implied ones included. */
  roles: string[]
  is_admin?: boolean
  [extra: string]: unknown
}

/** What is acted on: the loaded row or the request's attributes. `%(a.b)s` finds the key `a.b`, else `b` inside `a`. */
export type Target = Readonly<Record<string, unknown>>

export type Scope = 'system' | 'domain' | 'project'

/** The scope of a token. One without a scope counts as a project's, as upstream. */
export function scopeOf(credentials: Credentials): Scope {
  if (credentials.system_scope) return 'system'
  return credentials.domain_id ? 'domain' : 'project'
}
