/** Registered limits, and the limits of projects and domains in their place. */
import { rows } from '#kernel/db/rows.ts'

/** What a project or domain may have of a resource when nothing else was said. -1 is without limit. */
export interface RegisteredLimitRow {
  id: string
  service_id: string
  /** Null: of every region. */
  region_id: string | null
  resource_name: string
  default_limit: number
  description: string | null
}

/** What one project or one domain may have instead. */
export interface LimitRow {
  id: string
  registered_limit_id: string
  project_id: string | null
  domain_id: string | null
  resource_limit: number
  description: string | null
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_registered_limits: RegisteredLimitRow
    identity_limits: LimitRow
  }
}

export const registeredLimits = rows<RegisteredLimitRow>('identity_registered_limits')
export const limits = rows<LimitRow>('identity_limits')
