/** Policies for endpoints, and what they are for. */
import { rows } from '#kernel/db/rows.ts'

export interface PolicyRow {
  id: string
  type: string
  blob: string
  extra: Record<string, unknown>
}

/** One of: an endpoint; a service; a service in a region. What it is not is empty. */
export interface PolicyAssociation {
  policy_id: string
  endpoint_id: string
  service_id: string
  region_id: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_policies: PolicyRow
    identity_policy_associations: PolicyAssociation
  }
}

export const policies = rows<PolicyRow>('identity_policies', { json: ['extra'] })
export const policyAssociations = rows<PolicyAssociation>('identity_policy_associations')
