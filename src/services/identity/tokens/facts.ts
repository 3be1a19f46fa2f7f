/** What is behind claims: the user, the scope and the roles, all of it enabled and granted now. */
import type { Ctx, Identity } from '#kernel/context.ts'
import { type ApplicationCredentialRow, applicationCredentials } from '../application-credentials/store.ts'
import { rolesInScope } from '../assignments/assignment.ts'
import { type AccessTokenRow, accessTokens } from '../consumers/store.ts'
import { type Home, homeOf } from '../federation/federation.ts'
import { isInactive } from '../password-rules.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { noteRead, revoking, scopeKey, scopeTokensAfter } from '../revocations/revocation.ts'
import { tokenRoles, withImplied } from '../roles/role.ts'
import type { TrustRow } from '../trusts/store.ts'
import { chainOf, rolesOfTrustor } from '../trusts/trust.ts'
import { type UserRow, users } from '../users/store.ts'
import { demandOf, isMet } from './demand.ts'
import { type Behind, readBehind } from './store.ts'
import type { Claims } from './token.ts'

/** A trust in use, and all who stand behind it. */
export interface TrustInUse {
  row: TrustRow
  /** From the trust itself to the one that began the chain. */
  chain: TrustRow[]
  trustor: UserRow
  trustee: UserRow
}

export interface Facts {
  /** As whom the token acts: of a trust with impersonation, the trustor. */
  user: UserRow
  userDomain: ProjectRow
  /** The project or domain of the scope. */
  target?: ProjectRow
  targetDomain?: ProjectRow
  roles: { id: string; name: string }[]
  applicationCredential?: ApplicationCredentialRow
  trust?: TrustInUse
  /** Of OAuth1. */
  accessToken?: AccessTokenRow
  /** Of a user of an identity provider. */
  home?: Home
  /** Everything that must not have been closed since the token was made. */
  basis: { tokens_after: number }[]
  /** The users whose rights in the scope it rests on. */
  holders: string[]
  /** When what it was delegated by ends. */
  until: number
}

export type Asked = Pick<Claims, 'user_id' | 'scope' | 'application_credential_id' | 'trust_id' | 'access_token_id'>

/** Rows that were read already, so that they are not asked for one by one. */
type Known = Partial<Pick<Behind, 'user' | 'projects' | 'applicationCredential' | 'accessToken' | 'generation'>>

interface Account {
  user: UserRow
  domain: ProjectRow
  home?: Home
}

/** A user that may act now. */
async function account(ctx: Ctx, id: string, known: Known = {}): Promise<Account | undefined> {
  const user = known.user?.id === id ? known.user : await users.find(ctx.db, { id })
  if (!user?.enabled || isInactive(ctx, user)) return undefined
  const home = user.foreign_id === '' ? undefined : await homeOf(ctx, user.id)
  if (user.foreign_id !== '' && !home) return undefined
  const domain = await enabledProject(ctx, user.domain_id, known)
  return domain && { user, domain, ...(home && { home }) }
}

/** Undefined when something is missing, disabled or not granted: then there is no such token. */
export async function factsOf(ctx: Ctx, asked: Asked, known: Known = {}): Promise<Facts | undefined> {
  const own = await account(ctx, asked.user_id, known)
  if (!own) return undefined
  const found: Facts = {
    user: own.user,
    userDomain: own.domain,
    roles: [],
    basis: [own.user, own.domain],
    holders: [own.user.id],
    until: own.home?.until ?? Number.MAX_SAFE_INTEGER,
    ...(own.home && { home: own.home }),
  }
  const { scope } = asked
  if (asked.trust_id !== undefined && !(await addTrust(ctx, found, asked.trust_id))) return undefined
  if (scope.type === 'unscoped') return found

  if (scope.type !== 'system') {
    const target = await enabledProject(ctx, scope.id, known)
    if (!target || target.is_domain !== (scope.type === 'domain')) return undefined
    const targetDomain = target.domain_id === null ? target : await enabledProject(ctx, target.domain_id, known)
    if (!targetDomain) return undefined
    Object.assign(found, { target, targetDomain })
    found.basis.push(target, targetDomain)
  }
  const roleIds = await delegatedRoles(ctx, found, asked, known)
  found.roles = await tokenRoles(ctx, roleIds, known.generation)
  return found.roles.length > 0 ? found : undefined
}

/** The same for a new token, most of it in one statement. */
export async function grantedFacts(ctx: Ctx, asked: Asked): Promise<Facts | undefined> {
  return factsOf(ctx, asked, await readBehind(ctx.db, { ...behindWhat(asked), revoking: ['', ''] }))
}

function behindWhat({ user_id, scope, application_credential_id, access_token_id }: Asked) {
  return {
    user_id,
    target_id: 'id' in scope ? scope.id : null,
    scope: scopeKey(scope),
    application_credential_id: application_credential_id ?? null,
    access_token_id: access_token_id ?? null,
  }
}

/** The roles that the token gives: the user's, or of them those that were delegated. */
async function delegatedRoles(ctx: Ctx, found: Facts, asked: Asked, known: Known): Promise<string[]> {
  if (found.trust) return rolesOfTrust(ctx, found.trust, asked)
  const held = await rolesInScope(ctx, asked.user_id, asked.scope)
  if (asked.access_token_id !== undefined) return rolesOfAccessToken(ctx, found, asked, held, known)
  if (asked.application_credential_id === undefined) return held
  const credential = await usableCredential(ctx, asked.application_credential_id, asked, known)
  if (!credential) return []
  found.applicationCredential = credential
  found.until = Math.min(found.until, credential.expires_at ?? found.until)
  const all = await tokenRoles(ctx, held, known.generation)
  return credential.role_ids.filter(id => all.some(role => role.id === id))
}

/** Adds those who stand behind the trust; false when one of them may not act, or the trust is not the user's. */
async function addTrust(ctx: Ctx, found: Facts, id: string): Promise<boolean> {
  const chain = await chainOf(ctx, id)
  const [row] = chain ?? []
  if (!chain || !row || row.trustee_user_id !== found.user.id) return false
  const trustee = found.user
  for (const { trustor_user_id, expires_at } of chain) {
    const behind = await account(ctx, trustor_user_id)
    if (!behind) return false
    found.basis.push(behind.user, behind.domain)
    found.holders.push(behind.user.id)
    found.until = Math.min(found.until, expires_at ?? found.until, behind.home?.until ?? found.until)
    if (trustor_user_id !== row.trustor_user_id) continue
    found.trust = { row, chain, trustor: behind.user, trustee }
    if (row.impersonation) Object.assign(found, { user: behind.user, userDomain: behind.domain })
  }
  return true
}

/** All roles of the trust; none when the one who began it has lost any. */
async function rolesOfTrust(ctx: Ctx, { row, chain }: TrustInUse, { scope }: Asked): Promise<string[]> {
  if (scope.type !== 'project' || scope.id !== row.project_id) return []
  const held = await rolesOfTrustor(ctx, chain)
  const all = [...(await withImplied(ctx, row.role_ids)).keys()]
  return all.every(id => held.has(id)) ? row.role_ids : []
}

/** Of the roles that the user lets a consumer use, those that it has itself now. */
async function rolesOfAccessToken(
  ctx: Ctx,
  found: Facts,
  asked: Asked,
  held: readonly string[],
  known: Known,
): Promise<string[]> {
  const row = known.accessToken ?? (await accessTokens.find(ctx.db, { id: asked.access_token_id! }))
  if (row?.user_id !== asked.user_id || asked.scope.type !== 'project' || asked.scope.id !== row.project_id) return []
  if (row.expires_at !== null && row.expires_at <= ctx.clock.now()) return []
  found.accessToken = row
  found.until = Math.min(found.until, row.expires_at ?? found.until)
  const all = await withImplied(ctx, held, known.generation)
  return row.role_ids.filter(id => all.has(id))
}

async function enabledProject(ctx: Ctx, id: string, known: Known): Promise<ProjectRow | undefined> {
  const row = known.projects?.find(one => one.id === id) ?? (await projects.find(ctx.db, { id }))
  return row?.enabled ? row : undefined
}

async function usableCredential(
  ctx: Ctx,
  id: string,
  asked: Asked,
  known: Known,
): Promise<ApplicationCredentialRow | undefined> {
  const credential = known.applicationCredential ?? (await applicationCredentials.find(ctx.db, { id }))
  if (!credential || credential.user_id !== asked.user_id) return undefined
  if (asked.scope.type !== 'project' || asked.scope.id !== credential.project_id) return undefined
  if (credential.expires_at !== null && credential.expires_at <= ctx.clock.now()) return undefined
  return credential
}

/** The facts of a token that was not revoked in any way; its end is not looked at. Two statements; for a trust and for users of identity providers some more. */
export async function unrevokedFacts(ctx: Ctx, claims: Claims): Promise<(Facts & { generation: number }) | undefined> {
  const { user_id, scope } = claims
  const asked = ctx.clock.monotonic()
  const behind = await readBehind(ctx.db, { ...behindWhat(claims), revoking: revoking(claims.audit_ids) })
  const { generation } = behind
  // What a transaction has changed itself is not so yet.
  if (!ctx.db.isTransaction) noteRead(ctx, generation, asked)
  if (behind.revoked || claims.generation < behind.scope_after) return undefined
  const facts = await factsOf(ctx, claims, behind)
  if (!facts || facts.basis.some(one => claims.generation < one.tokens_after)) return undefined
  // A project may have come to ask for more since.
  if (facts.target && !isMet(demandOf(facts.target.options), claims.methods)) return undefined
  for (const userId of new Set(facts.holders)) {
    if (userId === user_id) continue
    if (claims.generation < (await scopeTokensAfter(ctx, userId, scope))) return undefined
  }
  return { ...facts, generation }
}

/** Who the token makes its bearer, as policy and services see it. */
export function identityOf(claims: Claims, facts: Facts, token: string): Identity {
  const { user, target, roles, trust, accessToken, applicationCredential } = facts
  const { scope } = claims
  return {
    user_id: user.id,
    user_name: user.name,
    user_domain_id: user.domain_id,
    ...(scope.type === 'project' && {
      project_id: scope.id,
      project_name: target!.name,
      project_domain_id: target!.domain_id ?? target!.id,
    }),
    ...(scope.type === 'domain' && { domain_id: scope.id }),
    ...(scope.type === 'system' && { system_scope: 'all' as const }),
    roles: roles.map(role => role.name),
    role_ids: roles.map(role => role.id),
    expires_at: claims.expires_at,
    audit_ids: claims.audit_ids,
    methods: claims.methods,
    ...(applicationCredential && {
      application_credential_id: applicationCredential.id,
      application_credential_unrestricted: applicationCredential.unrestricted,
      ...(applicationCredential.access_rules && { access_rules: applicationCredential.access_rules }),
    }),
    ...(trust && { trust_id: trust.row.id, trustor_id: trust.trustor.id, trustee_id: trust.trustee.id }),
    ...(accessToken && { access_token_id: accessToken.id }),
    token,
  }
}
