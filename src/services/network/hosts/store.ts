/** The hosts' network agents: what they last reported; and the revision of the desired state. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface HostRow {
  host: string
  plane: string
  extensions: string[]
  problems: { id: string; message: string }[]
  applied_revision: number
  started_at: string
  heartbeat_at: string
}

export interface AgentRow {
  id: string
  host: string
  agent_type: string
  admin_state_up: boolean
  description: string
  created_at: string
}

interface RevisionRow {
  id: number
  revision: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_hosts: HostRow
    network_agents: AgentRow
    network_revision: RevisionRow
  }
}

export const hostRows = rows<HostRow>('network_hosts', { json: ['extensions', 'problems'] })
export const agentRows = rows<AgentRow>('network_agents', { bool: ['admin_state_up'] })

/** Adds one to the revision and returns it. */
export async function grow(db: Db): Promise<number> {
  const grown = await sql<{ revision: number }>`
    update network_revision set revision = revision + 1 where id = 1 returning revision`.execute(db)
  return Number(grown.rows[0]!.revision)
}

export async function revisionNow(db: Db): Promise<number> {
  const found = await sql<{ revision: number }>`select revision from network_revision where id = 1`.execute(db)
  return Number(found.rows[0]!.revision)
}

/** The host with the fewest routers; undefined while there is none. */
export async function leastLoadedHost(db: Db): Promise<string | undefined> {
  const found = await sql<{ host: string }>`
    select h.host from network_hosts h
    order by (select count(*) from network_routers r where r.host = h.host), h.host limit 1`.execute(db)
  return found.rows[0]?.host
}
