/** Limits that operators set, in the database. */
import { rows } from '#kernel/db/rows.ts'

export interface QuotaRow {
  kind: 'project' | 'class'
  /** The project's id, or the class's name. */
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
