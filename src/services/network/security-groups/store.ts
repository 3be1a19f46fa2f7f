/** Security groups and their rules: rows and queries. */
import { type Expression, type SqlBool, sql } from 'kysely'
import { rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export interface SecurityGroupRow extends StandardRow {
  name: string
  stateful: boolean
  is_default: boolean
}

export interface SecurityGroupRuleRow extends StandardRow {
  security_group_id: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  remote_group_id: string | null
  remote_address_group_id: string | null
  fingerprint: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_security_groups: SecurityGroupRow
    network_security_group_rules: SecurityGroupRuleRow
  }
}

export const groupRows = rows<SecurityGroupRow>('network_security_groups', {
  json: ['tags'],
  bool: ['stateful', 'is_default'],
})

export const ruleRows = rows<SecurityGroupRuleRow>('network_security_group_rules', { json: ['tags'] })

/** Rules in groups of the project, for callers whose project is not the rule's own. */
export const inGroupOf = (projectId: string): Expression<SqlBool> =>
  sql<SqlBool>`security_group_id in (select id from network_security_groups where project_id = ${projectId})`
