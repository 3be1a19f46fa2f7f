/** A server group: servers that want to be together, or apart. */

export const groupPolicies = ['anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity'] as const
export type GroupPolicy = (typeof groupPolicies)[number]

export interface ServerGroupRow {
  id: string
  name: string
  project_id: string
  user_id: string
  policy: GroupPolicy
  rules: { max_server_per_host?: number }
  created_at: string
}
