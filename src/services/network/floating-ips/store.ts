/** Floating IPs: rows. */
import { rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export interface FloatingIpRow extends StandardRow {
  floating_network_id: string
  floating_ip_address: string
  floating_port_id: string
  fixed_port_id: string | null
  fixed_ip_address: string | null
  router_id: string | null
  status: 'ACTIVE' | 'DOWN' | 'ERROR'
  dns_name: string
  dns_domain: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_floating_ips: FloatingIpRow
  }
}

export const floatingIpRows = rows<FloatingIpRow>('network_floating_ips', { json: ['tags'] })
