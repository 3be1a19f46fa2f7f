/** Tokens and federation: those for whom an identity provider vouches get one, and of whoever has one another cloud may be told. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden, NotFound, Unauthorized } from '#kernel/errors.ts'
import { type Reply, reply } from '#kernel/operation.ts'
import { identityConfig } from './config.ts'
import { forbiddenAction } from './faults.ts'
import type { Login } from './federation/login.ts'
import { noteSession } from './federation/session.ts'
import { revoking } from './revocations/revocation.ts'
import { revokedTokens } from './revocations/store.ts'
import { needsMore } from './tokens/factors.ts'
import { grantedFacts, unrevokedFacts } from './tokens/facts.ts'
import { mint } from './tokens/mint.ts'
import { type Claims, federatedMethod, newAuditId } from './tokens/token.ts'
import { checkToken } from './tokens/validate.ts'

/** An unscoped token with its description; the reply instead when more factors are needed, which users of this cloud may. */
export async function federatedToken(ctx: Ctx, login: Login): Promise<{ token: string; body: object } | Reply> {
  const { user_id, protocol_id, generation } = login
  const scope = { type: 'unscoped' } as const
  const facts = await grantedFacts(ctx, { user_id, scope })
  if (!facts) throw new Unauthorized()
  const methods = [federatedMethod(protocol_id)]
  // The login ends with all that goes back to it, also when there is no token yet.
  const begun = { audit_id: newAuditId(ctx) }
  const { answer } = await needsMore(ctx, { user_id, methods, generation, root: begun })
  if (answer) {
    const { receipt_lifetime_seconds, token_lifetime_seconds } = ctx.config.of(identityConfig)
    const until = ctx.clock.now() + (receipt_lifetime_seconds + token_lifetime_seconds) * 1000
    await noteSession(ctx, login, { id: begun.audit_id, expires_at: until })
    return answer
  }
  const issued = await mint(ctx, { user_id, scope, facts, generation, methods, withCatalog: false })
  const { audit_ids, expires_at } = issued.body.token
  await noteSession(ctx, login, { id: audit_ids[0]!, expires_at: Date.parse(expires_at) })
  return issued
}

/** The token as the answer to a login without a browser. */
export async function federatedAnswer(ctx: Ctx, login: Login): Promise<Reply> {
  const issued = await federatedToken(ctx, login)
  if (!('token' in issued)) return issued
  return reply(issued.body, { status: 201, headers: { 'x-subject-token': issued.token, vary: 'X-Auth-Token' } })
}

/** What another cloud is told of the bearer of a token. */
export interface Bearer {
  user_id: string
  user_name: string
  user_domain: string
  project_name: string
  project_domain: string
  roles: string[]
  /** Groups that it is in by an identity provider of its own. */
  mapped_group_ids: string[]
  claims: Claims
}

/** Of a token for a project. One that may only make some requests is none to go elsewhere with. */
export async function projectBearer(ctx: Ctx, token: string): Promise<Bearer> {
  const found = await checkToken(ctx, token)
  if (!found) throw new NotFound('Could not find token.')
  const { claims, facts } = found
  if (claims.scope.type !== 'project') {
    throw forbiddenAction('Use a project scoped token when attempting to create a SAML assertion')
  }
  if (facts.applicationCredential?.access_rules) {
    throw new Forbidden('The access rules of the application credential do not allow to go to another cloud.')
  }
  return {
    user_id: facts.user.id,
    user_name: facts.user.name,
    user_domain: facts.userDomain.name,
    project_name: facts.target!.name,
    project_domain: facts.targetDomain!.name,
    roles: facts.roles.map(role => role.name),
    mapped_group_ids: facts.home?.group_ids ?? [],
    claims,
  }
}

/** The audit ids of a good token: its own, then that of the first of its chain. */
export async function auditIdsOf(ctx: Ctx, token: string): Promise<string[] | undefined> {
  return (await checkToken(ctx, token))?.claims.audit_ids
}

/**
 * Those whose tokens would be refused now, though their time has not come. One statement for all of them, and two for each user and scope with
 * tokens that are good.
 */
export async function endedAmong(ctx: Ctx, all: readonly Claims[]): Promise<Set<Claims>> {
  const revoked = await revokedTokens.list(ctx.db, { audit_id: all.flatMap(one => revoking(one.audit_ids)) })
  const ids = new Set(revoked.map(({ audit_id }) => audit_id))
  const ended = new Set(all.filter(one => revoking(one.audit_ids).some(id => ids.has(id))))
  const alike = Map.groupBy(
    all.filter(one => !ended.has(one)),
    ({ user_id, scope, methods, application_credential_id, trust_id, access_token_id }) =>
      JSON.stringify([user_id, scope, methods, application_credential_id, trust_id, access_token_id]),
  )
  for (const claims of alike.values()) {
    // What ends a token of theirs ends the older ones too.
    for (const one of claims.toSorted((a, b) => a.generation - b.generation)) {
      if (await unrevokedFacts(ctx, one)) break
      ended.add(one)
    }
  }
  return ended
}
