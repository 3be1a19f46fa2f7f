/** Options that a domain has of its own. */
import { rows } from '#kernel/db/rows.ts'

export interface DomainOptionRow {
  domain_id: string
  group_name: string
  option_name: string
  /** Any JSON value; of a secret the ciphertext. */
  value: { plain: unknown } | { sealed: string }
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_domain_options: DomainOptionRow
  }
}

export const domainOptions = rows<DomainOptionRow>('identity_domain_options', { json: ['value'] })
