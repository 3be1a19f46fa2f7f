/** Application credentials and the access rules that they may be held to. */
import { rows } from '#kernel/db/rows.ts'

export interface AccessRule {
  id: string
  service: string
  method: string
  path: string
}

export interface AccessRuleRow extends AccessRule {
  user_id: string
}

export interface ApplicationCredentialRow {
  id: string
  name: string
  description: string | null
  user_id: string
  project_id: string
  secret_hash: string
  role_ids: string[]
  access_rules: AccessRule[] | null
  unrestricted: boolean
  /** Milliseconds; null: never. */
  expires_at: number | null
  /** Microseconds beyond that, to be shown. */
  expires_micros: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_application_credentials: ApplicationCredentialRow
    identity_access_rules: AccessRuleRow
  }
}

export const applicationCredentials = rows<ApplicationCredentialRow>('identity_application_credentials', {
  json: ['role_ids', 'access_rules'],
  bool: ['unrestricted'],
})
export const accessRules = rows<AccessRuleRow>('identity_access_rules')
