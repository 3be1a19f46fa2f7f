/** Users and their passwords. */
import type { Ctx } from '#kernel/context.ts'
import { accessRules, applicationCredentials } from '../application-credentials/store.ts'
import { assignments } from '../assignments/store.ts'
import { identityConfig } from '../config.ts'
import { accessTokens, requestTokens } from '../consumers/store.ts'
import { credentials } from '../credentials/store.ts'
import { factorCodes } from '../factor-providers/store.ts'
import { federatedMemberships, federatedUsers } from '../federation/store.ts'
import { memberships } from '../groups/store.ts'
import { linkTo } from '../listing.ts'
import { checkPassword, hashPassword, isOutdated } from '../password.ts'
import { countsAsSeen, endOfPassword, isInactive, passwordCost, passwordTime } from '../password-rules.ts'
import { announce, identityChanged } from '../revocations/revocation.ts'
import { removeTrustsOfUser } from '../trusts/trust.ts'
import { countFailedLogin, countUnknownLogin, formerPasswords, type UserRow, users } from './store.ts'

export function newPasswordHash(ctx: Ctx, password: string): Promise<string> {
  return hashPassword(password, passwordCost(ctx), ctx.ids.bytes(16))
}

/** Whether the password is the user's. Takes as long when there is no such user, no password, or a lock. */
export async function checkUserPassword(ctx: Ctx, user: UserRow | undefined, password: string): Promise<boolean> {
  const right = await checkPassword(password, user?.password_hash ?? null, passwordCost(ctx))
  const fresh = await admitted(ctx, user, right)
  if (!fresh) return false
  await welcome(ctx, fresh, password)
  return true
}

/** The user as it is now, when what it showed was right and no lock holds; failures are counted towards one. */
export async function admitted(ctx: Ctx, user: UserRow | undefined, right: boolean): Promise<UserRow | undefined> {
  if (!right || !user) {
    await countFailure(ctx, user)
    return undefined
  }
  // Others may have failed while the password was looked at: of many guesses at once no more than the limit count.
  const fresh = await freshest(ctx, user)
  return isLocked(ctx, fresh) || isInactive(ctx, fresh) ? undefined : fresh
}

async function freshest(ctx: Ctx, user: UserRow): Promise<UserRow> {
  if (ctx.config.of(identityConfig).lockout_attempts === 0) return user
  return (await users.find(ctx.db, { id: user.id })) ?? user
}

function isLocked(ctx: Ctx, user: UserRow): boolean {
  const { lockout_attempts, lockout_seconds } = ctx.config.of(identityConfig)
  if (lockout_attempts === 0 || user.failed_logins < lockout_attempts) return false
  if (user.options.ignore_lockout_failure_attempts === true) return false
  return ctx.clock.now() < (user.last_failed_login_at ?? 0) + lockout_seconds * 1000
}

/** Failures are counted for users that are not there too: that write would tell who is. */
async function countFailure(ctx: Ctx, user: UserRow | undefined): Promise<void> {
  const { lockout_attempts, lockout_seconds } = ctx.config.of(identityConfig)
  if (lockout_attempts === 0) return
  const now = ctx.clock.now()
  const lock = { attempts: lockout_attempts, endedBefore: now - lockout_seconds * 1000 }
  await (user ? countFailedLogin(ctx.db, user.id, now, lock) : countUnknownLogin(ctx.db))
}

async function welcome(ctx: Ctx, user: UserRow, password: string): Promise<void> {
  const patch: Partial<UserRow> = {}
  if (user.failed_logins > 0) Object.assign(patch, { failed_logins: 0, last_failed_login_at: null })
  if (countsAsSeen(ctx, user)) patch.last_active_at = ctx.clock.now()
  if (isOutdated(user.password_hash!, passwordCost(ctx))) patch.password_hash = await newPasswordHash(ctx, password)
  if (Object.keys(patch).length > 0) {
    await users.update(ctx.db, { id: user.id, password_hash: user.password_hash }, patch)
  }
}

/** Refuses every token that the user has. */
export async function revokeUserTokens(ctx: Ctx, userId: string): Promise<void> {
  const tokens_after = await identityChanged(ctx)
  await users.update(ctx.db, { id: userId }, { tokens_after })
  await announce(ctx, { user_id: userId })
}

/** Everything of a new user that nobody said. */
export const blankUser = {
  foreign_id: '',
  default_project_id: null,
  enabled: true,
  password_hash: null,
  password_changed_at: null,
  password_expires_at: null,
  password_self_set: false,
  last_active_at: null,
  failed_logins: 0,
  last_failed_login_at: null,
  options: {},
  tokens_after: 0,
}

export function userView(ctx: Ctx, row: UserRow) {
  return {
    ...row.extra,
    id: row.id,
    name: row.name,
    domain_id: row.domain_id,
    enabled: row.enabled && !isInactive(ctx, row),
    ...(row.default_project_id && { default_project_id: row.default_project_id }),
    password_expires_at: passwordTime(endOfPassword(row)),
    options: row.options,
    links: linkTo(ctx, `users/${row.id}`),
  }
}

/** What hangs on a user. */
export async function removeUserTraces(ctx: Ctx, { id }: { id: string }): Promise<void> {
  await announce(ctx, { user_id: id })
  await assignments.remove(ctx.db, { actor_type: 'user', actor_id: id })
  await memberships.remove(ctx.db, { user_id: id })
  await removeTrustsOfUser(ctx, id)
  await applicationCredentials.remove(ctx.db, { user_id: id })
  await accessRules.remove(ctx.db, { user_id: id })
  await credentials.remove(ctx.db, { user_id: id })
  await formerPasswords.remove(ctx.db, { user_id: id })
  await factorCodes.remove(ctx.db, { user_id: id })
  await requestTokens.remove(ctx.db, { user_id: id })
  await accessTokens.remove(ctx.db, { user_id: id })
  await federatedUsers.remove(ctx.db, { user_id: id })
  await federatedMemberships.remove(ctx.db, { user_id: id })
}
