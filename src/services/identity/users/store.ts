/** Users. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

export interface UserRow {
  id: string
  name: string
  domain_id: string
  /** Empty for users of this cloud; the own id for those of identity providers, whose names need not be theirs alone. */
  foreign_id: string
  default_project_id: string | null
  enabled: boolean
  /** PHC string; null for a user without a password. */
  password_hash: string | null
  password_changed_at: number | null
  /** When the password ends; null: never. */
  password_expires_at: number | null
  /** Whether the user itself set the password. */
  password_self_set: boolean
  /** The last login, when accounts are closed for being away; else null. */
  last_active_at: number | null
  failed_logins: number
  last_failed_login_at: number | null
  options: Record<string, unknown>
  /** What clients stored beyond the known attributes, description and email among it. */
  extra: Record<string, unknown>
  created_at: number
  /** Tokens are good from this generation on. */
  tokens_after: number
}

export interface FormerPassword {
  user_id: string
  /** The generation of identity in which it ended. */
  generation: number
  password_hash: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_users: UserRow
    identity_former_passwords: FormerPassword
    identity_unknown_logins: { id: number; failures: number }
  }
}

export const users = rows<UserRow>('identity_users', {
  json: ['options', 'extra'],
  bool: ['enabled', 'password_self_set'],
})
export const formerPasswords = rows<FormerPassword>('identity_former_passwords')

/** Counts one more wrong password, from one again after a lock that has ended. Atomic: many may fail at once. */
export async function countFailedLogin(
  db: Db,
  id: string,
  now: number,
  lock: { attempts: number; endedBefore: number },
): Promise<void> {
  await sql`
    update identity_users set last_failed_login_at = ${now}, failed_logins =
      case when failed_logins >= ${lock.attempts} and last_failed_login_at <= ${lock.endedBefore} then 1 else failed_logins + 1 end
    where id = ${id} and (failed_logins < ${lock.attempts} or last_failed_login_at <= ${lock.endedBefore})
  `.execute(db)
}

/** Counts a login of nobody. */
export async function countUnknownLogin(db: Db): Promise<void> {
  await sql`update identity_unknown_logins set failures = failures + 1`.execute(db)
}
