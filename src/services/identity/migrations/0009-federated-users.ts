/** Users of identity providers, the groups that mappings put them in, and assertions that were used up. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `alter table identity_users add column foreign_id text not null default ''`,
  // Two identity providers may each have a Bob in one domain, beside the domain's own.
  `drop index if exists identity_users_name`,
  `create unique index if not exists identity_users_name on identity_users (domain_id, name, foreign_id)`,

  `create table if not exists identity_federated_users (
    idp_id text not null, protocol_id text not null, unique_id text not null, user_id text not null,
    primary key (idp_id, protocol_id, unique_id))`,
  `create unique index if not exists identity_federated_users_user on identity_federated_users (user_id)`,

  `create table if not exists identity_federated_memberships (
    user_id text not null, group_id text not null, valid_until bigint not null, primary key (user_id, group_id))`,
  `create index if not exists identity_federated_memberships_group on identity_federated_memberships (group_id)`,

  `create table if not exists identity_used_assertions (id text primary key, expires_at bigint not null)`,
]

export const federatedUsers: Migration = {
  name: '0009-federated-users',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
