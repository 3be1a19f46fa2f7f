/** Projects and domains, one table: a domain is a project that has no domain. */
import { rows } from '#kernel/db/rows.ts'

export interface ProjectRow {
  id: string
  name: string
  /** Null for a domain. */
  domain_id: string | null
  /** The project above; for the topmost the domain; null for a domain. */
  parent_id: string | null
  is_domain: boolean
  enabled: boolean
  description: string
  tags: string[]
  options: Record<string, unknown>
  /** What clients stored beyond the known attributes. */
  extra: Record<string, unknown>
  /** Tokens for it are good from this generation on. */
  tokens_after: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_projects: ProjectRow
  }
}

export const projects = rows<ProjectRow>('identity_projects', {
  json: ['tags', 'options', 'extra'],
  bool: ['is_domain', 'enabled'],
})
