/** Identity's first tables. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table identity_generation (id integer primary key, value bigint not null)`,
  `insert into identity_generation (id, value) values (1, 1)`,

  `create table identity_keys (
    purpose text not null, number integer not null, state text not null, secret text not null, created_at bigint not null,
    primary key (purpose, number))`,

  `create table identity_projects (
    id text primary key, name text not null, domain_id text, parent_id text, is_domain integer not null,
    enabled integer not null, description text not null, tags text not null, options text not null, extra text not null,
    tokens_after bigint not null)`,
  // A domain has no domain; its name is unique among domains.
  `create unique index identity_projects_name on identity_projects (coalesce(domain_id, ''), name)`,
  `create index identity_projects_parent on identity_projects (parent_id)`,

  `create table identity_users (
    id text primary key, name text not null, domain_id text not null, default_project_id text, enabled integer not null,
    password_hash text, password_changed_at bigint, failed_logins integer not null, last_failed_login_at bigint,
    options text not null, extra text not null, created_at bigint not null, tokens_after bigint not null)`,
  `create unique index identity_users_name on identity_users (domain_id, name)`,

  `create table identity_groups (
    id text primary key, name text not null, domain_id text not null, description text not null, extra text not null)`,
  `create unique index identity_groups_name on identity_groups (domain_id, name)`,

  `create table identity_memberships (group_id text not null, user_id text not null, primary key (group_id, user_id))`,
  `create index identity_memberships_user on identity_memberships (user_id)`,

  `create table identity_roles (
    id text primary key, name text not null, domain_id text, description text, options text not null, extra text not null)`,
  `create unique index identity_roles_name on identity_roles (coalesce(domain_id, ''), name)`,

  `create table identity_implied_roles (
    prior_role_id text not null, implied_role_id text not null, primary key (prior_role_id, implied_role_id))`,

  `create table identity_assignments (
    actor_type text not null, actor_id text not null, target_type text not null, target_id text not null, role_id text not null,
    inherited integer not null, primary key (actor_type, actor_id, target_type, target_id, role_id, inherited))`,
  `create index identity_assignments_target on identity_assignments (target_type, target_id)`,
  `create index identity_assignments_role on identity_assignments (role_id)`,

  `create table identity_regions (
    id text primary key, description text not null, parent_region_id text, extra text not null)`,

  `create table identity_services (
    id text primary key, type text not null, name text, description text, enabled integer not null, extra text not null)`,

  `create table identity_endpoints (
    id text primary key, service_id text not null, region_id text, interface text not null, url text not null,
    enabled integer not null, extra text not null)`,
  `create index identity_endpoints_service on identity_endpoints (service_id)`,

  `create table identity_application_credentials (
    id text primary key, name text not null, description text, user_id text not null, project_id text not null,
    secret_hash text not null, role_ids text not null, access_rules text, unrestricted integer not null, expires_at bigint)`,
  `create unique index identity_application_credentials_name on identity_application_credentials (user_id, name)`,

  `create table identity_access_rules (
    id text primary key, user_id text not null, service text not null, method text not null, path text not null)`,
  `create index identity_access_rules_user on identity_access_rules (user_id)`,

  `create table identity_credentials (
    id text primary key, type text not null, user_id text not null, project_id text, encrypted_blob text not null,
    extra text not null)`,
  `create index identity_credentials_user on identity_credentials (user_id)`,

  `create table identity_revoked_tokens (audit_id text primary key, expires_at bigint not null)`,
  `create table identity_revoked_scopes (
    user_id text not null, scope text not null, tokens_after bigint not null, at bigint not null, primary key (user_id, scope))`,
]

export const initial: Migration = {
  name: '0001-initial',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
