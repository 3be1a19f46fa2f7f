/** Users. */
import { rows } from '#kernel/db/rows.ts'

export interface UserRow {
  id: string
  name: string
  domain_id: string
  default_project_id: string | null
  enabled: boolean
  /** PHC string; null for a user without a password. */
  password_hash: string | null
  password_changed_at: number | null
  failed_logins: number
  last_failed_login_at: number | null
  options: Record<string, unknown>
  /** What clients stored beyond the known attributes, description and email among it. */
  extra: Record<string, unknown>
  created_at: number
  /** Tokens are good from this generation on. */
  tokens_after: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_users: UserRow
  }
}

export const users = rows<UserRow>('identity_users', { json: ['options', 'extra'], bool: ['enabled'] })
