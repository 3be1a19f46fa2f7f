/** Routers: rows. */
import { rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export interface RouterRow extends StandardRow {
  name: string
  admin_state_up: boolean
  status: 'ACTIVE' | 'DOWN'
  gateway_port_id: string | null
  gateway_network_id: string | null
  enable_snat: boolean
  routes: { destination: string; nexthop: string }[]
  /** The host that carries it; null until there is one. */
  host: string | null
  availability_zone_hints: string[]
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_routers: RouterRow
  }
}

export const routerRows = rows<RouterRow>('network_routers', {
  json: ['tags', 'routes', 'availability_zone_hints'],
  bool: ['admin_state_up', 'enable_snat'],
})
