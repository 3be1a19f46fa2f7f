/** Builds of guests' agents in the database. */
import { rows } from '#kernel/db/rows.ts'
import type { AgentBuildRow } from './agent-build.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_agent_builds: AgentBuildRow
  }
}

export const agentBuilds = rows<AgentBuildRow>('compute_agent_builds', { bool: ['offered'] })
/** For rows whose id the database gives. */
export const newAgentBuilds = rows<Omit<AgentBuildRow, 'id'>>('compute_agent_builds', { bool: ['offered'] })
