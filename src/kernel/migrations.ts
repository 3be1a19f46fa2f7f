/** The kernel's own tables: journal of sagas, events, archive of deleted rows. */
import { sql } from 'kysely'
import type { Migration } from './db/migrate.ts'

export const kernelMigrations: Migration[] = [
  {
    name: '0001-initial',
    async up(db, engine) {
      await db.schema
        .createTable('kernel_sagas')
        .addColumn('id', 'text', c => c.primaryKey())
        .addColumn('saga', 'text', c => c.notNull())
        .addColumn('revision', 'integer', c => c.notNull())
        .addColumn('subject', 'text', c => c.notNull())
        .addColumn('state', 'text', c => c.notNull())
        .addColumn('input', 'text', c => c.notNull())
        .addColumn('request_id', 'text', c => c.notNull())
        .addColumn('identity', 'text', c => c.notNull())
        .addColumn('project_id', 'text')
        .addColumn('user_id', 'text')
        .addColumn('started_at', 'text', c => c.notNull())
        .addColumn('updated_at', 'text', c => c.notNull())
        .addColumn('deadline_at', 'text', c => c.notNull())
        .addColumn('cancel', 'integer', c => c.notNull())
        .addColumn('error', 'text')
        .execute()
      await db.schema
        .createIndex('kernel_sagas_subject')
        .on('kernel_sagas')
        .columns(['subject', 'started_at'])
        .execute()
      await db.schema.createIndex('kernel_sagas_state').on('kernel_sagas').columns(['state', 'updated_at']).execute()
      await db.schema.createIndex('kernel_sagas_request').on('kernel_sagas').column('request_id').execute()
      await db.schema
        .createTable('kernel_saga_steps')
        .addColumn('saga_id', 'text', c => c.notNull())
        .addColumn('seq', 'integer', c => c.notNull())
        .addColumn('name', 'text', c => c.notNull())
        .addColumn('state', 'text', c => c.notNull())
        .addColumn('output', 'text')
        .addColumn('started_at', 'text', c => c.notNull())
        .addColumn('finished_at', 'text', c => c.notNull())
        .addColumn('error', 'text')
        .addPrimaryKeyConstraint('kernel_saga_steps_pk', ['saga_id', 'seq'])
        .execute()
      await db.schema
        .createTable('kernel_events')
        .addColumn('seq', engine === 'postgres' ? 'bigserial' : 'integer', c =>
          engine === 'postgres' ? c.primaryKey() : c.primaryKey().autoIncrement(),
        )
        .addColumn('id', 'text', c => c.notNull().unique())
        .addColumn('type', 'text', c => c.notNull())
        .addColumn('at', 'text', c => c.notNull())
        .addColumn('request_id', 'text', c => c.notNull())
        .addColumn('project_id', 'text')
        .addColumn('user_id', 'text')
        .addColumn('resource_id', 'text')
        .addColumn('payload', 'text', c => c.notNull())
        .execute()
      await db.schema.createIndex('kernel_events_resource').on('kernel_events').column('resource_id').execute()
      await db.schema
        .createTable('kernel_archive')
        .addColumn('source', 'text', c => c.notNull())
        .addColumn('id', 'text', c => c.notNull())
        .addColumn('deleted_at', 'text', c => c.notNull())
        .addColumn('row', 'text', c => c.notNull())
        .addPrimaryKeyConstraint('kernel_archive_pk', ['source', 'id'])
        .execute()
      await sql`create index kernel_archive_age on kernel_archive (deleted_at)`.execute(db)
    },
  },
  {
    name: '0002-events-by-request',
    async up(db) {
      await db.schema.createIndex('kernel_events_request').on('kernel_events').column('request_id').execute()
    },
  },
  {
    name: '0003-events-in-order',
    async up(db, engine) {
      await sql`alter table kernel_events add column tx bigint not null default 0`.execute(db)
      if (engine !== 'postgres') return
      await sql`alter table kernel_events alter column tx set default pg_current_xact_id()::text::bigint`.execute(db)
      await sql`create index kernel_events_order on kernel_events (tx, seq)`.execute(db)
    },
  },
  {
    name: '0004-facts-of-callers',
    async up(db) {
      for (const table of ['kernel_events', 'kernel_sagas']) {
        await db.schema.alterTable(table).addColumn('global_request_id', 'text').execute()
        await db.schema.alterTable(table).addColumn('client_tag', 'text').execute()
        // Most requests have none: they are not in it.
        await sql`create index ${sql.raw(`${table}_global`)} on ${sql.table(table)} (global_request_id)
          where global_request_id is not null`.execute(db)
      }
    },
  },
  {
    name: '0005-undone-steps',
    async up(db) {
      for (const column of ['undo_started_at', 'undone_at'])
        await db.schema.alterTable('kernel_saga_steps').addColumn(column, 'text').execute()
    },
  },
  {
    name: '0006-sagas-in-order',
    async up(db) {
      await sql`alter table kernel_sagas add column nth integer not null default 0`.execute(db)
    },
  },
]
