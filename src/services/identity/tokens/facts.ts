/** What is behind claims: the user, the scope and the roles, all of it enabled and granted now. */
import type { Ctx, Identity } from '#kernel/context.ts'
import { type ApplicationCredentialRow, applicationCredentials } from '../application-credentials/store.ts'
import { rolesInScope } from '../assignments/assignment.ts'
import { type ProjectRow, projects } from '../projects/store.ts'
import { isTokenRevoked, scopeTokensAfter } from '../revocations/revocation.ts'
import { tokenRoles } from '../roles/role.ts'
import { type UserRow, users } from '../users/store.ts'
import type { Claims } from './token.ts'

export interface Facts {
  user: UserRow
  userDomain: ProjectRow
  /** The project or domain of the scope. */
  target?: ProjectRow
  targetDomain?: ProjectRow
  roles: { id: string; name: string }[]
  applicationCredential?: ApplicationCredentialRow
}

export type Asked = Pick<Claims, 'user_id' | 'scope' | 'application_credential_id'>

/** Undefined when something is missing, disabled or not granted: then there is no such token. */
export async function factsOf(ctx: Ctx, asked: Asked): Promise<Facts | undefined> {
  const user = await users.find(ctx.db, { id: asked.user_id })
  if (!user?.enabled) return undefined
  const userDomain = await enabledProject(ctx, user.domain_id)
  if (!userDomain) return undefined
  const { scope } = asked
  if (scope.type === 'unscoped') return { user, userDomain, roles: [] }

  const found: Facts = { user, userDomain, roles: [] }
  if (scope.type !== 'system') {
    const target = await enabledProject(ctx, scope.id)
    if (!target || target.is_domain !== (scope.type === 'domain')) return undefined
    const targetDomain = target.domain_id === null ? target : await enabledProject(ctx, target.domain_id)
    if (!targetDomain) return undefined
    Object.assign(found, { target, targetDomain })
  }
  let roleIds = await rolesInScope(ctx, user.id, scope, found.target)
  if (asked.application_credential_id !== undefined) {
    const credential = await usableCredential(ctx, asked.application_credential_id, asked)
    if (!credential) return undefined
    found.applicationCredential = credential
    const held = await tokenRoles(ctx, roleIds)
    roleIds = credential.role_ids.filter(id => held.some(role => role.id === id))
  }
  found.roles = await tokenRoles(ctx, roleIds)
  return found.roles.length > 0 ? found : undefined
}

async function enabledProject(ctx: Ctx, id: string): Promise<ProjectRow | undefined> {
  return projects.find(ctx.db, { id, enabled: true })
}

async function usableCredential(ctx: Ctx, id: string, asked: Asked): Promise<ApplicationCredentialRow | undefined> {
  const credential = await applicationCredentials.find(ctx.db, { id })
  if (!credential || credential.user_id !== asked.user_id) return undefined
  if (asked.scope.type !== 'project' || asked.scope.id !== credential.project_id) return undefined
  if (credential.expires_at !== null && credential.expires_at <= ctx.clock.now()) return undefined
  return credential
}

/** The facts of a token that was not revoked in any way; its end is not looked at. */
export async function unrevokedFacts(ctx: Ctx, claims: Claims): Promise<Facts | undefined> {
  const facts = await factsOf(ctx, claims)
  if (!facts) return undefined
  const { user, userDomain, target, targetDomain } = facts
  for (const one of [user, userDomain, target, targetDomain]) {
    if (one && claims.generation < one.tokens_after) return undefined
  }
  if (claims.generation < (await scopeTokensAfter(ctx, user.id, claims.scope))) return undefined
  if (await isTokenRevoked(ctx, claims.audit_ids)) return undefined
  return facts
}

/** Who the token makes its bearer, as policy and services see it. */
export function identityOf(claims: Claims, facts: Facts, token: string): Identity {
  const { user, target, roles } = facts
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
    ...(claims.application_credential_id !== undefined && {
      application_credential_id: claims.application_credential_id,
      application_credential_unrestricted: facts.applicationCredential?.unrestricted === true,
      ...(facts.applicationCredential?.access_rules && { access_rules: facts.applicationCredential.access_rules }),
    }),
    token,
  }
}
