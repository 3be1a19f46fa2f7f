/** Logins by other providers, and at other clouds, as long as they can be ended from the other side. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

const statements = [
  `create table if not exists identity_federated_sessions (
    id text primary key, idp_id text not null, protocol_id text not null, subject_hash text not null, subject text not null,
    session_index text not null, expires_at bigint not null)`,
  `create index if not exists identity_federated_sessions_of
    on identity_federated_sessions (idp_id, protocol_id, subject_hash)`,
  `create index if not exists identity_federated_sessions_end on identity_federated_sessions (expires_at)`,
  `create table if not exists identity_told_sessions (
    id text primary key, service_provider_id text not null, subject text not null, claims text not null, expires_at bigint not null)`,
]

export const federatedSessions: Migration = {
  name: '0014-federated-sessions',
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
