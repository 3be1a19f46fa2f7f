/** Changes of what hosts know of each other, so that they are told the changes alone; and indexes for finding whom they concern. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

export const neighbours: Migration = {
  name: '0003-neighbours',
  async up(db) {
    for (const [column, type] of [
      ['own_revision', 'bigint'],
      ['alone', 'integer'],
    ] as const)
      await db.schema
        .alterTable('network_hosts')
        .addColumn(column, type, c => c.notNull().defaultTo(0))
        .execute()
    await sql`update network_hosts set own_revision = wanted_revision`.execute(db)
    for (const column of ['forgotten', 'noted'])
      await db.schema
        .alterTable('network_revision')
        .addColumn(column, 'bigint', c => c.notNull().defaultTo(0))
        .execute()
    await sql`update network_revision set forgotten = revision, noted = revision`.execute(db)
    await db.schema
      .createTable('network_neighbour_changes')
      .addColumn('of_id', 'text', c => c.notNull())
      .addColumn('revision', 'bigint', c => c.notNull())
      .addColumn('port_id', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('network_neighbour_changes_pk', ['of_id', 'revision', 'port_id'])
      .execute()
    for (const [table, old, columns] of [
      ['network_neighbour_changes', undefined, ['revision']],
      ['network_ports', 'binding_host_id', ['binding_host_id', 'network_id']],
      ['network_ports', undefined, ['network_id', 'id']],
      ['network_port_security_groups', 'security_group_id', ['security_group_id', 'port_id']],
    ] as const) {
      if (old) await db.schema.dropIndex(`${table}_by_${old}`).execute()
      await db.schema
        .createIndex(`${table}_by_${columns.join('_')}`)
        .on(table)
        .columns([...columns])
        .execute()
    }
  },
}
