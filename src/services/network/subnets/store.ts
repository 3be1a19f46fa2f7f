/** Subnets: rows and queries. */
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export type Ipv6Mode = 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless' | null

export interface SubnetRow extends StandardRow {
  network_id: string
  name: string
  ip_version: 4 | 6
  cidr: string
  gateway_ip: string | null
  enable_dhcp: boolean
  dns_nameservers: string[]
  host_routes: { destination: string; nexthop: string }[]
  allocation_pools: { start: string; end: string }[]
  ipv6_address_mode: Ipv6Mode
  ipv6_ra_mode: Ipv6Mode
  service_types: string[]
  subnetpool_id: string | null
  dns_publish_fixed_ip: boolean
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_subnets: SubnetRow
  }
}

export const subnetRows = rows<SubnetRow>('network_subnets', {
  json: ['tags', 'dns_nameservers', 'host_routes', 'allocation_pools', 'service_types'],
  bool: ['enable_dhcp', 'dns_publish_fixed_ip'],
})

/** Subnets of some networks, oldest first. */
export function subnetsOf(db: Db, networkIds: string[]): Promise<SubnetRow[]> {
  return subnetRows.list(
    db,
    { network_id: networkIds },
    {
      orderBy: [
        { column: 'created_at', direction: 'asc' },
        { column: 'id', direction: 'asc' },
      ],
    },
  )
}

/** True when guests form their addresses themselves. */
export const selfAddressed = (subnet: SubnetRow) =>
  subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === 'dhcpv6-stateless'
