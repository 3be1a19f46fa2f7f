/** Registered limits, and the limits of projects and domains in their place. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
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

/** The limits of a service's resources for a project, and for its domain: of each the registered one, and what stands in its place. */
export async function limitsOf(
  db: Db,
  { service, project_id, region_id }: { service: string; project_id: string; region_id: string },
): Promise<{ resource_name: string; registered: number; own: number | null; above: number | null }[]> {
  const { rows: found } = await sql<{
    resource_name: string
    registered: number
    own: number | null
    above: number | null
  }>`
    select r.resource_name, r.default_limit as registered, o.resource_limit as own, a.resource_limit as above
    from identity_registered_limits r
    join identity_services s on s.id = r.service_id and (s.type = ${service} or s.name = ${service})
    left join identity_projects p on p.id = ${project_id}
    left join identity_limits o on o.registered_limit_id = r.id and o.project_id = p.id
    left join identity_limits a on a.registered_limit_id = r.id and a.domain_id = p.domain_id
    where r.region_id is null or r.region_id = ${region_id}
    order by case when r.region_id is null then 0 else 1 end
  `.execute(db)
  return found
}
