/** Which endpoints a project sees, policies for endpoints, configuration of domains, and OAuth1. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_endpoint_groups (
    id text primary key, name text not null, description text, filters text not null, extra text not null)`,
  `create table if not exists identity_project_endpoints (
    project_id text not null, endpoint_id text not null, primary key (project_id, endpoint_id))`,
  `create table if not exists identity_project_endpoint_groups (
    project_id text not null, endpoint_group_id text not null, primary key (project_id, endpoint_group_id))`,

  `create table if not exists identity_policies (
    id text primary key, type text not null, blob text not null, extra text not null)`,
  `create table if not exists identity_policy_associations (
    policy_id text not null, endpoint_id text not null, service_id text not null, region_id text not null,
    primary key (endpoint_id, service_id, region_id))`,
  `create index if not exists identity_policy_associations_policy on identity_policy_associations (policy_id)`,

  `create table if not exists identity_domain_options (
    domain_id text not null, group_name text not null, option_name text not null, value text not null,
    primary key (domain_id, group_name, option_name))`,

  `create table if not exists identity_consumers (
    id text primary key, description text, encrypted_secret text not null, extra text not null)`,
  `create table if not exists identity_request_tokens (
    id text primary key, consumer_id text not null, project_id text not null, encrypted_secret text not null,
    verifier text, user_id text, role_ids text not null, expires_at bigint)`,
  `create table if not exists identity_access_tokens (
    id text primary key, consumer_id text not null, project_id text not null, encrypted_secret text not null,
    user_id text not null, role_ids text not null, expires_at bigint)`,
  `create index if not exists identity_access_tokens_user on identity_access_tokens (user_id)`,
]

export const endpointFiltersPoliciesConsumers: Migration = {
  name: '0005-endpoint-filters-policies-consumers',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
