/** The networks that were allocated automatically, one a project: rows. */
import { rows } from '#kernel/db/rows.ts'

export interface TopologyRow {
  project_id: string
  network_id: string
  router_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_topologies: TopologyRow
  }
}

export const topologyRows = rows<TopologyRow>('network_topologies')
