/** POST /v3/auth/tokens: from proof of who one is to a token for a scope. */

import type { Ctx } from '#kernel/context.ts'
import { Forbidden, Unauthorized } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { expecting } from '../faults.ts'
import { projects } from '../projects/store.ts'
import { freshGeneration, type TokenScope } from '../revocations/revocation.ts'
import { users } from '../users/store.ts'
import { tokenBody } from './body.ts'
import { type Facts, factsOf } from './facts.ts'
import { type AuthIdentity, domainId, endOf, type Named, type Proof, prove } from './methods.ts'
import { type Claims, newAuditId, writeToken } from './token.ts'

interface AskedScope {
  project?: Named
  domain?: Named
  system?: { all?: boolean }
  unscoped?: object
  'OS-TRUST:trust'?: object
}

const text = Type.String({ maxLength: 4096 })
const named = Type.Object({
  id: Type.Optional(text),
  name: Type.Optional(text),
  domain: Type.Optional(Type.Object({ id: Type.Optional(text), name: Type.Optional(text) })),
})

const request = Type.Object({
  auth: Type.Object({
    identity: Type.Object({
      methods: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 8 }),
      password: Type.Optional(Type.Object({ user: Type.Intersect([named, Type.Object({ password: text })]) })),
      token: Type.Optional(Type.Object({ id: text })),
      application_credential: Type.Optional(
        Type.Object({
          id: Type.Optional(text),
          name: Type.Optional(text),
          secret: text,
          user: Type.Optional(named),
        }),
      ),
    }),
    scope: Type.Optional(
      Type.Union([
        Type.Literal('unscoped'),
        Type.Object({
          project: Type.Optional(named),
          domain: Type.Optional(named),
          system: Type.Optional(Type.Object({ all: Type.Optional(Type.Boolean()) })),
        }),
      ]),
    ),
  }),
})

const unscoped: TokenScope = { type: 'unscoped' }

/** The scope that was asked for; undefined when nothing was said. */
async function askedScope(ctx: Ctx, asked: 'unscoped' | AskedScope | undefined): Promise<TokenScope | undefined> {
  if (asked === undefined) return undefined
  if (asked === 'unscoped') return unscoped
  const kinds = ['project', 'domain', 'system', 'unscoped', 'OS-TRUST:trust'].filter(kind => kind in asked)
  if (kinds.length !== 1) throw expecting('project, domain, OS-TRUST:trust or unscoped', 'scope')
  if (asked.unscoped) return unscoped
  if (asked.system) {
    if (asked.system.all !== true) throw expecting('all', 'system')
    return { type: 'system' }
  }
  if (asked.domain) {
    if (asked.domain.id === undefined && asked.domain.name === undefined) throw expecting('id or name', 'domain')
    const id = await domainId(ctx, asked.domain)
    if (id === undefined) throw new Unauthorized()
    return { type: 'domain', id }
  }
  if (asked.project) return { type: 'project', id: await projectIdOf(ctx, asked.project) }
  throw new Unauthorized()
}

async function projectIdOf(ctx: Ctx, named: Named): Promise<string> {
  if (named.id !== undefined) return named.id
  if (named.name === undefined) throw expecting('id or name', 'project')
  if (named.domain === undefined) throw expecting('domain', 'project')
  const domain_id = await domainId(ctx, named.domain)
  const project = domain_id === undefined ? undefined : await projects.find(ctx.db, { domain_id, name: named.name })
  if (!project) throw new Unauthorized()
  return project.id
}

/** The scope of an application credential is its project, whatever way it is used again. */
function credentialScope(proof: Proof, asked: TokenScope | undefined): TokenScope {
  const { project_id } = proof.applicationCredential!
  const same = asked?.type === 'project' && asked.id === project_id
  if (asked && !same) {
    if (proof.parent) throw new Forbidden()
    throw new Unauthorized(
      'Error authenticating with application credential: Application credentials cannot request a scope.',
    )
  }
  return { type: 'project', id: project_id }
}

async function scopeAndFacts(
  ctx: Ctx,
  proof: Proof,
  asked: TokenScope | undefined,
): Promise<{ scope: TokenScope; facts: Facts }> {
  const { user_id, applicationCredential } = proof
  if (applicationCredential) {
    const scope = credentialScope(proof, asked)
    const facts = await factsOf(ctx, { user_id, scope, application_credential_id: applicationCredential.id })
    if (!facts) throw new Unauthorized()
    return { scope, facts }
  }
  if (asked) {
    const facts = await factsOf(ctx, { user_id, scope: asked })
    if (!facts) throw new Unauthorized()
    return { scope: asked, facts }
  }
  // Nothing said: the user's own project when it may be used, and no scope otherwise.
  const id = (await users.find(ctx.db, { id: user_id }))?.default_project_id
  const own: TokenScope = id ? { type: 'project', id } : unscoped
  const ownFacts = await factsOf(ctx, { user_id, scope: own })
  if (ownFacts) return { scope: own, facts: ownFacts }
  const facts = await factsOf(ctx, { user_id, scope: unscoped })
  if (!facts) throw new Unauthorized()
  return { scope: unscoped, facts }
}

export const issueToken = operation({
  id: 'identity.tokens.issue',
  method: 'POST',
  path: '/v3/auth/tokens',
  summary: 'Authenticate and issue a token',
  policy: 'public',
  request,
  async handle(ctx, { body, query }) {
    // Before anything is looked at: what is revoked from here on does not spare the new token.
    const generation = await freshGeneration(ctx)
    const auth = body.auth as { identity: AuthIdentity; scope?: 'unscoped' | AskedScope }
    const proof = await prove(ctx, auth.identity)
    const { scope, facts } = await scopeAndFacts(ctx, proof, await askedScope(ctx, auth.scope))
    const { parent } = proof
    const chain = parent?.audit_ids.at(-1)
    const claims: Claims = {
      user_id: proof.user_id,
      methods: [...new Set([...auth.identity.methods, ...(parent?.methods ?? [])])],
      scope,
      expires_at: endOf(ctx, proof),
      issued_at: ctx.clock.now(),
      audit_ids: [newAuditId(ctx), ...(chain ? [chain] : [])],
      generation,
      ...(proof.applicationCredential && { application_credential_id: proof.applicationCredential.id }),
    }
    const token = await writeToken(ctx, claims)
    return reply(await tokenBody(ctx, claims, facts, !('nocatalog' in (query as object))), {
      status: 201,
      headers: { 'x-subject-token': token, vary: 'X-Auth-Token' },
    })
  },
})
