/** Logins by a provider that can be ended: there by one that says so, here by who has the token. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { revokeToken } from '../revocations/revocation.ts'
import type { Way } from './federation.ts'
import type { Login } from './login.ts'
import { type FederatedSession, federatedSessions } from './store.ts'

const hashed = (subject: string) => createHash('sha256').update(subject).digest('hex')

export async function noteSession(
  ctx: Ctx,
  { idp_id, protocol_id, session }: Login,
  { id, expires_at }: Pick<FederatedSession, 'id' | 'expires_at'>,
): Promise<void> {
  if (!session) return
  const { subject, index } = session
  await federatedSessions.insert(ctx.db, {
    ...{ id, idp_id, protocol_id, subject, subject_hash: hashed(subject.text) },
    ...{ session_index: index, expires_at },
  })
}

/** The login that a token comes from, directly or by others; undefined when it is not of that way. */
export function sessionBehind(ctx: Ctx, { idp_id, protocol_id }: Way, audit_ids: readonly string[]) {
  return federatedSessions.find(ctx.db, { id: audit_ids.at(-1)!, idp_id, protocol_id })
}

/** Refuses the token of the login, and all that was made from it. */
export async function endSession(ctx: Ctx, { id, expires_at }: FederatedSession): Promise<void> {
  await ctx.transaction(async tx => {
    await revokeToken(tx, id, expires_at, { withDerived: true })
    await federatedSessions.remove(tx.db, { id })
  })
}

/** What a provider says of logins that have ended: at least one of the two. */
export type Ended =
  | { subject: string; session_indexes: readonly string[] }
  | { subject?: undefined; session_indexes: readonly [string] }

/** The same for all logins that the provider means; one that it gave no index is meant by every index, and all by none. */
export async function endSessionsOf(ctx: Ctx, { idp_id, protocol_id }: Way, ended: Ended): Promise<void> {
  const { subject, session_indexes } = ended
  const found = await federatedSessions.list(ctx.db, {
    ...{ idp_id, protocol_id },
    ...(subject !== undefined && { subject_hash: hashed(subject) }),
    ...(session_indexes.length > 0 && {
      session_index: subject === undefined ? session_indexes : [...session_indexes, ''],
    }),
  })
  for (const session of found) await endSession(ctx, session)
}
