/** Quotas: the projects' own limits, and what they use. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface QuotaRow {
  project_id: string
  resource: string
  quota: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_quotas: QuotaRow
  }
}

export const quotaRows = rows<QuotaRow>('network_quotas')

/** The table whose rows each resource's quota counts. */
const counted = {
  network: 'network_networks',
  subnet: 'network_subnets',
  port: 'network_ports',
  router: 'network_routers',
  floatingip: 'network_floating_ips',
  security_group: 'network_security_groups',
  security_group_rule: 'network_security_group_rules',
  subnetpool: 'network_subnet_pools',
  rbac_policy: 'network_rbac_policies',
} as const

export type QuotaResource = keyof typeof counted

export const quotaResources = Object.keys(counted) as QuotaResource[]

/** How many of a resource projects have together. */
export async function usedBy(db: Db, projectIds: readonly string[], resource: QuotaResource): Promise<number> {
  const table = sql.table(counted[resource])
  const found = await sql<{ n: number }>`
    select count(*) as n from ${table} where project_id in (${sql.join(projectIds)})`.execute(db)
  return Number(found.rows[0]!.n)
}
