/** Hosts, aggregates, flavors, key pairs, server groups, quotas and console tokens: the global tables beside the servers. */
import type { Engine } from '#kernel/db/database.ts'
import type { Migration, SchemaDb } from '#kernel/db/migrate.ts'

/** A table whose `id` is a number that the database gives, and never gives twice. */
function numbered(db: SchemaDb, engine: Engine, table: string) {
  return db.schema
    .createTable(table)
    .addColumn('id', engine === 'postgres' ? 'serial' : 'integer', c =>
      engine === 'postgres' ? c.primaryKey() : c.primaryKey().autoIncrement(),
    )
}

export const hostsAndFlavors: Migration = {
  name: '0002-hosts-and-flavors',
  async up(db, engine) {
    await numbered(db, engine, 'compute_hosts')
      .addColumn('uuid', 'text', c => c.notNull().unique())
      .addColumn('provider_uuid', 'text', c => c.notNull().unique())
      .addColumn('name', 'text', c => c.notNull().unique())
      .addColumn('facts', 'text', c => c.notNull())
      .addColumn('machine', 'text', c => c.notNull())
      .addColumn('guests', 'integer', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('started_at', 'text', c => c.notNull())
      .addColumn('last_seen', 'text', c => c.notNull())
      .addColumn('disabled', 'integer', c => c.notNull())
      .addColumn('disabled_reason', 'text')
      .addColumn('forced_down', 'integer', c => c.notNull())
      .execute()
    await numbered(db, engine, 'compute_aggregates')
      .addColumn('uuid', 'text', c => c.notNull().unique())
      .addColumn('name', 'text', c => c.notNull().unique())
      .addColumn('metadata', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text')
      .execute()
    await db.schema
      .createTable('compute_aggregate_hosts')
      .addColumn('aggregate_id', 'integer', c => c.notNull())
      .addColumn('host', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_aggregate_hosts_pk', ['aggregate_id', 'host'])
      .execute()
    await db.schema.createIndex('compute_aggregate_hosts_host').on('compute_aggregate_hosts').column('host').execute()

    await db.schema
      .createTable('compute_flavors')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('name', 'text', c => c.notNull().unique())
      .addColumn('memory_mb', 'integer', c => c.notNull())
      .addColumn('vcpus', 'integer', c => c.notNull())
      .addColumn('root_gb', 'integer', c => c.notNull())
      .addColumn('ephemeral_gb', 'integer', c => c.notNull())
      .addColumn('swap', 'integer', c => c.notNull())
      .addColumn('rxtx_factor', 'double precision', c => c.notNull())
      .addColumn('is_public', 'integer', c => c.notNull())
      .addColumn('disabled', 'integer', c => c.notNull())
      .addColumn('description', 'text')
      .addColumn('extra_specs', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addColumn('updated_at', 'text')
      .execute()
    await db.schema
      .createTable('compute_flavor_access')
      .addColumn('flavor_id', 'text', c => c.notNull())
      .addColumn('project_id', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('compute_flavor_access_pk', ['flavor_id', 'project_id'])
      .execute()
    await db.schema
      .createIndex('compute_flavor_access_project')
      .on('compute_flavor_access')
      .column('project_id')
      .execute()

    await numbered(db, engine, 'compute_keypairs')
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('type', 'text', c => c.notNull())
      .addColumn('public_key', 'text', c => c.notNull())
      .addColumn('fingerprint', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .addUniqueConstraint('compute_keypairs_name', ['user_id', 'name'])
      .execute()

    await db.schema
      .createTable('compute_server_groups')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('project_id', 'text', c => c.notNull())
      .addColumn('user_id', 'text', c => c.notNull())
      .addColumn('policy', 'text', c => c.notNull())
      .addColumn('rules', 'text', c => c.notNull())
      .addColumn('created_at', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_server_groups_project')
      .on('compute_server_groups')
      .column('project_id')
      .execute()
    await db.schema
      .createTable('compute_server_group_members')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('group_id', 'text', c => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_server_group_members_group')
      .on('compute_server_group_members')
      .column('group_id')
      .execute()

    // The subject is a project or a class of quotas; `kind` says which.
    await db.schema
      .createTable('compute_quotas')
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('subject', 'text', c => c.notNull())
      .addColumn('resource', 'text', c => c.notNull())
      .addColumn('limit_value', 'integer', c => c.notNull())
      .addPrimaryKeyConstraint('compute_quotas_pk', ['kind', 'subject', 'resource'])
      .execute()

    // Only the digest of a token is kept.
    await db.schema
      .createTable('compute_console_tokens')
      .addColumn('token_hash', 'text', c => c.primaryKey())
      .addColumn('server_id', 'text', c => c.notNull())
      .addColumn('console_type', 'text', c => c.notNull())
      .addColumn('host', 'text', c => c.notNull())
      .addColumn('origin', 'text', c => c.notNull())
      .addColumn('expires_at', 'text', c => c.notNull())
      .addUniqueConstraint('compute_console_tokens_console', ['server_id', 'console_type'])
      .execute()
  },
}
