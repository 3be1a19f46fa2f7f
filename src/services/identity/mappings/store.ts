/** Mappings. */
import { rows } from '#kernel/db/rows.ts'
import type { MappingRule } from '../mapping-rules.ts'

export interface MappingRow {
  id: string
  rules: MappingRule[]
  schema_version: string
  extra: Record<string, unknown>
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_mappings: MappingRow
  }
}

export const mappings = rows<MappingRow>('identity_mappings', { json: ['rules', 'extra'] })
