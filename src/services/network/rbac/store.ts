/** Who may use a network besides its owner: rows. */
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/standard-row.ts'

export type RbacAction = 'access_as_shared' | 'access_as_external'

export interface RbacPolicyRow extends StandardRow {
  object_type: 'network'
  object_id: string
  action: RbacAction
  /** A project, or `*` for all. */
  target_tenant: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_rbac_policies: RbacPolicyRow
  }
}

export const rbacRows = rows<RbacPolicyRow>('network_rbac_policies', { json: ['tags'] })

/** What a project may do with others' networks. */
export const grantsFor = (db: Db, networkIds: string[], projectId: string): Promise<RbacPolicyRow[]> =>
  rbacRows.list(db, { object_id: networkIds, target_tenant: ['*', projectId] })
