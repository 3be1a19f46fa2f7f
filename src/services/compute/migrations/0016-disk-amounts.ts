/** How much of hosts' own disks each server may take: counted in the unified limit of class:DISK_GB. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

export const diskAmounts: Migration = {
  name: '0016-disk-amounts',
  async up(db, engine) {
    await db.schema
      .alterTable('compute_servers')
      .addColumn('disk_gb', 'integer', c => c.notNull().defaultTo(0))
      .execute()
    const member = (name: string) =>
      engine === 'postgres' ? sql.raw(`(flavor::json->>'${name}')::int`) : sql.raw(`json_extract(flavor, '$.${name}')`)
    await sql`
      update compute_servers
      set disk_gb = ${member('ephemeral')} + (${member('swap')} + 1023) / 1024 + case when image is null then 0 else ${member('disk')} end
    `.execute(db)
    await db.schema.dropIndex('compute_servers_usage').execute()
    await db.schema
      .createIndex('compute_servers_usage')
      .on('compute_servers')
      .columns(['project_id', 'vm_state', 'vcpus', 'memory_mb', 'disk_gb'])
      .execute()
  },
}
