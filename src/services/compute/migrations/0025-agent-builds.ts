/** Builds of the agents in guests, and which version of it each guest has. */
import type { Migration } from '#kernel/db/migrate.ts'

export const agentBuilds: Migration = {
  name: '0025-agent-builds',
  async up(db, engine) {
    const builds = db.schema.createTable('compute_agent_builds')
    const numbered =
      engine === 'postgres'
        ? builds.addColumn('id', 'serial', c => c.primaryKey())
        : builds.addColumn('id', 'integer', c => c.primaryKey().autoIncrement())
    await numbered
      .addColumn('hypervisor', 'text', c => c.notNull())
      .addColumn('os', 'text', c => c.notNull())
      .addColumn('architecture', 'text', c => c.notNull())
      .addColumn('version', 'text', c => c.notNull())
      .addColumn('url', 'text', c => c.notNull())
      .addColumn('md5hash', 'text', c => c.notNull())
      .addColumn('offered', 'integer', c => c.notNull())
      .addUniqueConstraint('compute_agent_builds_guest', ['hypervisor', 'os', 'architecture'])
      .execute()
    await db.schema
      .createTable('compute_guest_agents')
      .addColumn('server_id', 'text', c => c.primaryKey())
      .addColumn('version', 'text')
      .addColumn('wanted_version', 'text')
      .addColumn('message', 'text')
      .addColumn('updated_at', 'text', c => c.notNull())
      .execute()
  },
}
