/** Unified limits. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_registered_limits (
    id text primary key, service_id text not null, region_id text, resource_name text not null, default_limit integer not null,
    description text)`,
  `create unique index if not exists identity_registered_limits_same on identity_registered_limits
    (service_id, resource_name, coalesce(region_id, ''))`,
  `create table if not exists identity_limits (
    id text primary key, registered_limit_id text not null, project_id text, domain_id text, resource_limit integer not null,
    description text)`,
  `create unique index if not exists identity_limits_same on identity_limits
    (registered_limit_id, coalesce(project_id, ''), coalesce(domain_id, ''))`,
  `create index if not exists identity_limits_project on identity_limits (project_id)`,
]

export const unifiedLimits: Migration = {
  name: '0006-limits',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
