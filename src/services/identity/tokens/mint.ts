/** Making a token of facts. */
import type { Ctx } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import { tokenBody } from './body.ts'
import type { Facts } from './facts.ts'
import { type Claims, newAuditId, writeToken } from './token.ts'

export interface ToMint extends Omit<Claims, 'expires_at' | 'issued_at' | 'audit_ids'> {
  facts: Facts
  /** The token that it is made from: it ends no later. */
  parent?: Claims
  withCatalog: boolean
}

export async function mint(ctx: Ctx, { facts, parent, withCatalog, ...claimed }: ToMint) {
  const now = ctx.clock.now()
  const end = now + ctx.config.of(identityConfig).token_lifetime_seconds * 1000
  const chain = parent?.audit_ids.at(-1)
  const claims: Claims = {
    ...claimed,
    expires_at: Math.min(end, facts.until, parent?.expires_at ?? end),
    issued_at: now,
    audit_ids: [newAuditId(ctx), ...(chain ? [chain] : [])],
  }
  return { token: await writeToken(ctx, claims), body: await tokenBody(ctx, claims, facts, withCatalog) }
}
