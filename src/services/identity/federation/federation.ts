/** Users of identity providers: who vouches for them, the groups that they were mapped to, and the end of both. */
import type { Ctx } from '#kernel/context.ts'
import { identityProviders, protocols } from '../identity-providers/store.ts'
import { mappings } from '../mappings/store.ts'
import { announce, identityChanged, perGeneration } from '../revocations/revocation.ts'
import { revokeUserTokens } from '../users/user.ts'
import {
  endTokensOf,
  federatedMemberships,
  federatedSessions,
  federatedUsers,
  toldSessions,
  usedAssertions,
} from './store.ts'

/** A way to log in: a protocol of an identity provider. */
export interface Way {
  idp_id: string
  protocol_id: string
}

/** What is behind a user of an identity provider now. */
export interface Home extends Way {
  group_ids: string[]
  /** When the first of the groups ends. */
  until: number
}

const keyOf = ({ idp_id, protocol_id }: Way) => JSON.stringify([idp_id, protocol_id])

/** The ways that are open: the provider is enabled, and the protocol has its mapping. */
const openWays = perGeneration(async ctx => {
  const providers = new Set((await identityProviders.list(ctx.db, { enabled: true })).map(row => row.id))
  const known = new Set((await mappings.pick(ctx.db, ['id'])).map(row => row.id))
  const all = await protocols.list(ctx.db)
  const open = all.filter(row => providers.has(row.idp_id) && known.has(row.mapping_id))
  return new Set(open.map(row => keyOf({ idp_id: row.idp_id, protocol_id: row.id })))
})

/** Undefined when nobody vouches for the user any more. */
export async function homeOf(ctx: Ctx, userId: string): Promise<Home | undefined> {
  const open = await openWays(ctx)
  const link = (await federatedUsers.list(ctx.db, { user_id: userId })).find(one => open.has(keyOf(one)))
  if (!link) return undefined
  const valid = { user_id: userId, valid_until: { op: '>', value: ctx.clock.now() } } as const
  const found = await federatedMemberships.list(ctx.db, valid, { orderBy: [{ column: 'group_id', direction: 'asc' }] })
  return {
    idp_id: link.idp_id,
    protocol_id: link.protocol_id,
    group_ids: found.map(row => row.group_id),
    until: Math.min(Number.MAX_SAFE_INTEGER, ...found.map(row => row.valid_until)),
  }
}

/** Refuses all tokens of those who logged in that way. To be called in the transaction that closes it. */
export async function closeWay(ctx: Ctx, way: { idp_id: string; protocol_id?: string }): Promise<void> {
  await endTokensOf(ctx.db, way, await identityChanged(ctx))
  for (const { user_id } of await federatedUsers.list(ctx.db, way)) await announce(ctx, { user_id })
}

/** The same for all protocols that use a mapping. */
export async function closeWaysOf(ctx: Ctx, mapping_id: string): Promise<void> {
  for (const { idp_id, id } of await protocols.list(ctx.db, { mapping_id })) {
    await closeWay(ctx, { idp_id, protocol_id: id })
  }
}

/** Closes the way for good: who comes by another of the same name is somebody else. */
export async function removeWay(ctx: Ctx, way: { idp_id: string; protocol_id?: string }): Promise<void> {
  await closeWay(ctx, way)
  await federatedUsers.remove(ctx.db, way)
}

/** A group is gone: with it go the rights of those who were mapped to it. */
export async function leaveGroup(ctx: Ctx, group_id: string): Promise<void> {
  const members = await federatedMemberships.list(ctx.db, { group_id })
  for (const { user_id } of members) await revokeUserTokens(ctx, user_id)
  await federatedMemberships.remove(ctx.db, { group_id })
}

/** Forgets what has ended by itself. */
export async function expireFederation(ctx: Ctx): Promise<void> {
  const now = ctx.clock.now()
  await federatedMemberships.remove(ctx.db, { valid_until: { op: '<=', value: now } })
  for (const store of [usedAssertions, federatedSessions, toldSessions]) {
    await store.remove(ctx.db, { expires_at: { op: '<', value: now } })
  }
}
