/** Making a token of facts. */
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { Type } from '#kernel/schema/builders.ts'
import { oneOf } from '../answers.ts'
import { identityConfig } from '../config.ts'
import { tokenBody } from './body.ts'
import { demandOf, isMet } from './demand.ts'
import type { Facts } from './facts.ts'
import { type Claims, fineness, newAuditId, writeToken } from './token.ts'

/** A token as it is shown. */
export const tokenAnswer = oneOf('token', Type.Record(Type.String(), Type.Unknown()))

/** Of answers that hold a token: they are for the one who asked, and nobody keeps them on the way. */
export const kept = { 'cache-control': 'no-store', vary: 'X-Auth-Token' }

/** What began a chain of tokens: the first of them, or a login before there was one. */
export interface Root {
  audit_id: string
  /** Milliseconds since the epoch; nothing: the tokens end by themselves. */
  until?: number
}

/** Of a token that others are made from. */
export const rootOf = ({ audit_ids, expires_at }: Claims): Root => ({ audit_id: audit_ids.at(-1)!, until: expires_at })

export interface ToMint extends Omit<Claims, 'expires_at' | 'issued_at' | 'audit_ids'> {
  facts: Facts
  /** What it goes back to: it ends no later. */
  root?: Root | undefined
  withCatalog: boolean
}

export async function mint(ctx: Ctx, { facts, root, withCatalog, ...claimed }: ToMint) {
  if (facts.target && !isMet(demandOf(facts.target.options), claimed.methods)) {
    throw new Unauthorized(`The project ${facts.target.id} asks for more factors than were shown.`)
  }
  const fine = fineness(ctx)
  const now = Math.floor(ctx.clock.now() / fine) * fine
  const end = now + ctx.config.of(identityConfig).token_lifetime_seconds * 1000
  const claims: Claims = {
    ...claimed,
    expires_at: Math.floor(Math.min(end, facts.until, root?.until ?? end) / fine) * fine,
    issued_at: now,
    audit_ids: [newAuditId(ctx), ...(root ? [root.audit_id] : [])],
  }
  return { token: await writeToken(ctx, claims), body: await tokenBody(ctx, claims, facts, withCatalog) }
}
