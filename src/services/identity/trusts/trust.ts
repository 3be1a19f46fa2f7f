/** Trusts and the chains that they form when they are passed on. */
import { isoMicros } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { Forbidden } from '#kernel/errors.ts'
import { rolesInScope } from '../assignments/assignment.ts'
import { identityConfig } from '../config.ts'
import { notFound } from '../faults.ts'
import { linkTo } from '../listing.ts'
import { projects } from '../projects/store.ts'
import { announce, identityChanged } from '../revocations/revocation.ts'
import { roleView, withImplied } from '../roles/role.ts'
import { roles } from '../roles/store.ts'
import { users } from '../users/store.ts'
import { type TrustRow, trusts } from './store.ts'

/** The trust and those that it was passed on from, the first one last; undefined when one of them is gone or over. */
export async function chainOf(ctx: Ctx, id: string): Promise<TrustRow[] | undefined> {
  const chain: TrustRow[] = []
  for (let next: string | null = id; next !== null; ) {
    const trust: TrustRow | undefined = await trusts.find(ctx.db, { id: next })
    if (!trust || (trust.expires_at !== null && trust.expires_at <= ctx.clock.now())) return undefined
    chain.push(trust)
    next = trust.redelegated_trust_id
  }
  return chain
}

/** The trust as its parties may use it: `NotFound` when it is over or used up. */
export async function findTrust(ctx: Ctx, id: string): Promise<TrustRow> {
  const [trust, ...above] = (await chainOf(ctx, id)) ?? []
  if (!trust || trust.remaining_uses === 0) throw notFound('trust', id)
  for (const parent of above) {
    const agent = await users.find(ctx.db, { id: parent.trustee_user_id })
    if (!agent?.enabled) throw new Forbidden('One of the trust agents is disabled or deleted')
  }
  return trust
}

/** Ids of all roles that the one who began the chain has in its project now, those of domains included. */
export async function rolesOfTrustor(ctx: Ctx, chain: readonly TrustRow[]): Promise<Set<string>> {
  const { trustor_user_id, project_id } = chain.at(-1)!
  if (project_id === null) return new Set()
  if (!(await projects.find(ctx.db, { id: project_id }))) throw notFound('project', project_id)
  const held = await rolesInScope(ctx, trustor_user_id, { type: 'project', id: project_id })
  return new Set((await withImplied(ctx, held)).keys())
}

/** Refuses a trust that would give more than the one it is passed on from. */
export function checkRedelegation(ctx: Ctx, parent: TrustRow, trust: TrustRow): void {
  const { max_redelegation_count: most } = ctx.config.of(identityConfig)
  if (parent.redelegation_count <= 0 || parent.redelegation_count > most) {
    throw new Forbidden(
      `Remaining redelegation depth of ${parent.redelegation_count} out of allowed range of [0..${most}]`,
    )
  }
  if (trust.remaining_uses !== null) {
    throw new Forbidden(
      `Field "remaining_uses" is set to ${trust.remaining_uses} while it must not be set in order to redelegate a trust`,
    )
  }
  if (parent.expires_at !== null && (trust.expires_at ?? Number.POSITIVE_INFINITY) > parent.expires_at) {
    throw new Forbidden('Requested expiration time is more than redelegated trust can provide')
  }
  if (!trust.role_ids.every(id => parent.role_ids.includes(id))) {
    throw new Forbidden('Some of requested roles are not in redelegated trust')
  }
  if (trust.impersonation && !parent.impersonation) {
    throw new Forbidden(
      `Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated trust id: ${parent.id}`,
    )
  }
}

/** Removes the trust and all that it was passed on as. */
export async function removeTrust(ctx: Ctx, id: string): Promise<void> {
  const below = await trusts.list(ctx.db, { redelegated_trust_id: id })
  for (const trust of below) await removeTrust(ctx, trust.id)
  await trusts.remove(ctx.db, { id })
  await announce(ctx, { 'OS-TRUST:trust_id': id })
}

/** Removes what a user gave and was given. */
export async function removeTrustsOfUser(ctx: Ctx, userId: string): Promise<void> {
  for (const where of [{ trustor_user_id: userId }, { trustee_user_id: userId }]) {
    for (const trust of await trusts.list(ctx.db, where)) await removeTrust(ctx, trust.id)
  }
}

/** Forgets trusts that have ended. */
export async function expireTrusts(ctx: Ctx): Promise<void> {
  const ended = { expires_at: { op: '<' as const, value: ctx.clock.now() } }
  if ((await trusts.count(ctx.db, ended)) === 0) return
  await ctx.transaction(async tx => {
    await trusts.remove(tx.db, ended)
    await identityChanged(tx)
  })
}

/** As lists show it. */
export function trustView(ctx: Ctx, row: TrustRow) {
  const { extra, role_ids: _, expires_at, ...shown } = row
  return {
    ...extra,
    ...shown,
    expires_at: expires_at === null ? null : isoMicros(expires_at),
    deleted_at: null,
    links: linkTo(ctx, `OS-TRUST/trusts/${row.id}`),
  }
}

export async function rolesOf(ctx: Ctx, row: TrustRow) {
  const found = await roles.list(ctx.db, { id: row.role_ids }, { orderBy: [{ column: 'id', direction: 'asc' }] })
  return found.map(role => roleView(ctx, role))
}

export function roleLinks(ctx: Ctx, row: TrustRow) {
  return { ...linkTo(ctx, `OS-TRUST/trusts/${row.id}/roles`), next: null, previous: null }
}
