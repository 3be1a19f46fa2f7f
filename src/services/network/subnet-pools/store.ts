/** Subnet pools: rows. */
import { rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export interface SubnetPoolRow extends StandardRow {
  name: string
  ip_version: 4 | 6
  /** Ranges in normal form, none within another. */
  prefixes: string[]
  default_prefixlen: number
  min_prefixlen: number
  max_prefixlen: number
  /** How much of it one project may have, in addresses for IPv4 and in /64s for IPv6; null for any amount. */
  default_quota: number | null
  shared: boolean
  is_default: boolean
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_subnet_pools: SubnetPoolRow
  }
}

export const subnetPoolRows = rows<SubnetPoolRow>('network_subnet_pools', {
  json: ['tags', 'prefixes'],
  bool: ['shared', 'is_default'],
})
