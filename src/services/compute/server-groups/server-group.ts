/** A server group: servers that want to be together, or apart. */

export const groupPolicies = ['anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity'] as const
export type GroupPolicy = (typeof groupPolicies)[number]

export interface ServerGroupRow {
  id: string
  name: string
  project_id: string
  user_id: string
  policy: GroupPolicy
  rules: GroupRules
  created_at: string
}

export interface GroupRules {
  max_server_per_host?: number
  /** What the policy is about instead of hosts: racks, or another level of places. */
  level?: string
  /** Of anti-affinity at a level. */
  max_server_per_place?: number
}

/** A group as the scheduler needs it. */
export interface Group {
  policy: GroupPolicy
  rules: GroupRules
  /** Ids of servers. */
  members: string[]
}
