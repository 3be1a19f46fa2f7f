/** Usage audits that were made, in the database. */
import { rows } from '#kernel/db/rows.ts'
import type { UsageAuditRow } from './usage-audit.ts'

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_usage_audits: UsageAuditRow
  }
}

export const usageAudits = rows<UsageAuditRow>('compute_usage_audits')
