/** Limits that operators set, in the database. */
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface QuotaRow {
  kind: 'project' | 'class' | 'user'
  /** The project's id, the class's name, or both ids of a user in a project. */
  subject: string
  resource: string
  limit_value: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_quotas: QuotaRow
  }
}

export const quotas = rows<QuotaRow>('compute_quotas')

/** Limits of all users of a project. */
export function userLimits(db: Db, project: string): Promise<QuotaRow[]> {
  return quotas.list(db, { kind: 'user', subject: { op: 'like', value: `${project}/%` } })
}
