/** Identity providers, their protocols and mappings, and service providers. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_identity_providers (
    id text primary key, enabled integer not null, description text, domain_id text not null, authorization_ttl integer,
    extra text not null)`,
  `create table if not exists identity_remote_ids (
    remote_id text primary key, idp_id text not null, position integer not null)`,
  `create index if not exists identity_remote_ids_idp on identity_remote_ids (idp_id)`,
  `create table if not exists identity_protocols (
    idp_id text not null, id text not null, mapping_id text not null, remote_id_attribute text, primary key (idp_id, id))`,
  `create table if not exists identity_mappings (
    id text primary key, rules text not null, schema_version text not null, extra text not null)`,
  `create table if not exists identity_service_providers (
    id text primary key, enabled integer not null, description text, auth_url text not null, sp_url text not null,
    relay_state_prefix text not null, extra text not null)`,
]

export const federation: Migration = {
  name: '0008-federation',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
