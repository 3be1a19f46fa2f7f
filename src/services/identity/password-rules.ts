/** Rules that passwords and accounts are held to; all of them are off until the operator turns them on. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { identityConfig } from './config.ts'
import { found } from './expressions.ts'
import { checkPassword, type PasswordCost } from './password.ts'
import { formerPasswords, type UserRow } from './users/store.ts'

const day = 86_400_000

export function passwordCost(ctx: Ctx): PasswordCost {
  const { password_memory_kib, password_passes } = ctx.config.of(identityConfig)
  return { memory: password_memory_kib, passes: password_passes }
}

function refused(detail: string): BadRequest {
  return new BadRequest(detail)
}

/** Refuses a password that the operator's expression does not match. */
export function checkShape(ctx: Ctx, password: string): void {
  const { password_regex, password_regex_description } = ctx.config.of(identityConfig)
  if (password_regex === '' || found([password], [password_regex]).length > 0) return
  throw refused(`The password does not match the requirements: ${password_regex_description}.`)
}

/** Refuses what a user who changes its own password may not do now. */
export async function checkOwnChange(ctx: Ctx, user: UserRow, password: string): Promise<void> {
  if (user.options.lock_password === true) {
    throw refused(
      'You cannot change your password at this time due to password policy disallowing password changes. Please contact your administrator to reset your password.',
    )
  }
  checkAge(ctx, user)
  await checkHistory(ctx, user, password)
}

function checkAge(ctx: Ctx, user: UserRow): void {
  const { minimum_password_age_days: days } = ctx.config.of(identityConfig)
  // A password that an admin gave may be changed at once.
  if (days === 0 || !user.password_self_set || user.password_changed_at === null) return
  const left = user.password_changed_at + days * day - ctx.clock.now()
  if (left <= 0) return
  throw refused(
    `You cannot change your password at this time due to the minimum password age. Once you change your password, it must be used for ${days} day(s) before it can be changed. Please try again in ${Math.floor(left / day)} day(s) or contact your administrator to reset your password.`,
  )
}

async function checkHistory(ctx: Ctx, user: UserRow, password: string): Promise<void> {
  const { unique_last_password_count: count } = ctx.config.of(identityConfig)
  if (count === 0) return
  const former = await formerPasswords.list(
    ctx.db,
    { user_id: user.id },
    { orderBy: [{ column: 'generation', direction: 'desc' }], limit: count - 1 },
  )
  for (const hash of [user.password_hash, ...former.map(one => one.password_hash)]) {
    if (hash === null || !(await checkPassword(password, hash, passwordCost(ctx)))) continue
    throw refused(
      `The new password cannot be identical to a previous password. The total number which includes the new password must be unique is ${count}.`,
    )
  }
}

/** Keeps the password that the user has so far; `generation` orders them. */
export async function keepFormer(ctx: Ctx, user: UserRow, generation: number): Promise<void> {
  const { unique_last_password_count: count } = ctx.config.of(identityConfig)
  if (count < 2 || user.password_hash === null) return
  const { id: user_id, password_hash } = user
  await formerPasswords.insert(ctx.db, { user_id, generation, password_hash })
  const all = await formerPasswords.list(
    ctx.db,
    { user_id },
    { orderBy: [{ column: 'generation', direction: 'desc' }] },
  )
  const beyond = all.slice(count - 1).map(one => one.generation)
  await formerPasswords.remove(ctx.db, { user_id, generation: beyond })
}

/** When a password set now ends; null: never. One that an admin gives may have to be changed at first use. */
export function passwordEnd(ctx: Ctx, options: Record<string, unknown>, by: 'user' | 'admin'): number | null {
  const { password_expires_days, change_password_upon_first_use } = ctx.config.of(identityConfig)
  const now = ctx.clock.now()
  if (by === 'admin' && change_password_upon_first_use && options.ignore_change_password_upon_first_use !== true) {
    return now
  }
  return password_expires_days === 0 ? null : now + password_expires_days * day
}

/** The end of the user's password as it is shown and kept to. */
export function endOfPassword({ password_expires_at, options }: UserRow): number | null {
  return options.ignore_password_expiry === true ? null : password_expires_at
}

export function isExpired(ctx: Ctx, user: UserRow): boolean {
  const end = endOfPassword(user)
  return end !== null && end <= ctx.clock.now()
}

/** Whether the user was away for longer than accounts are kept open. */
export function isInactive(ctx: Ctx, user: UserRow): boolean {
  const { disable_user_account_days_inactive: days } = ctx.config.of(identityConfig)
  if (days === 0 || user.options.ignore_user_inactivity === true) return false
  const seen = user.last_active_at ?? user.created_at
  return Math.floor(ctx.clock.now() / day) - Math.floor(seen / day) >= days
}

/** A time as Keystone writes those of passwords: microseconds, no zone. */
export function passwordTime(at: number | null): string | null {
  return at === null ? null : `${new Date(at).toISOString().slice(0, 23)}000`
}

/** Whether a login today should be written down: not more than once a day. */
export function countsAsSeen(ctx: Ctx, user: UserRow): boolean {
  if (ctx.config.of(identityConfig).disable_user_account_days_inactive === 0) return false
  return Math.floor(ctx.clock.now() / day) !== Math.floor((user.last_active_at ?? 0) / day)
}
