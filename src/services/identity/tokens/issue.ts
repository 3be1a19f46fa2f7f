/** POST /v3/auth/tokens: from proof of who one is to a token for a scope. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden, Unauthorized } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { forbiddenAction } from '../faults.ts'
import { freshGeneration } from '../revocations/revocation.ts'
import { unlessGuessing } from '../sources.ts'
import { consumeUse } from '../trusts/store.ts'
import { users } from '../users/store.ts'
import { demandOf, isMet } from './demand.ts'
import { needsMore, projectNeedsMore } from './factors.ts'
import { type Facts, grantedFacts } from './facts.ts'
import { type AuthIdentity, type Proof, prove } from './methods.ts'
import { kept, mint, rootOf, tokenAnswer } from './mint.ts'
import { type AskedScope, unscoped, type Wanted, wantedScope } from './scope.ts'

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
      totp: Type.Optional(Type.Object({ user: Type.Intersect([named, Type.Object({ passcode: text })]) })),
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
          'OS-TRUST:trust': Type.Optional(Type.Object({ id: Type.Optional(text) })),
        }),
      ]),
    ),
  }),
})

/** The scope of an application credential is its project, whatever way it is used again. */
function credentialScope(proof: Proof, wanted: Wanted | undefined): Wanted {
  const { project_id } = proof.applicationCredential!
  const same = wanted?.scope.type === 'project' && wanted.scope.id === project_id && wanted.trust_id === undefined
  if (wanted && !same) {
    if (proof.parent) {
      throw forbiddenAction('Using an application credential token to create a scoped token is not allowed.')
    }
    throw new Unauthorized(
      'Error authenticating with application credential: Application credentials cannot request a scope.',
    )
  }
  return { scope: { type: 'project', id: project_id } }
}

/** A token that was delegated is not a way to others; one for the system is none to projects and domains. */
function checkParent({ parent }: Proof, wanted: Wanted | undefined): void {
  if (parent?.access_token_id !== undefined) {
    throw forbiddenAction('Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead')
  }
  if (parent?.trust_id !== undefined) {
    throw forbiddenAction('Using trust-scoped token to create another token. Create a new trust-scoped token instead')
  }
  const type = wanted?.scope.type
  if (parent?.scope.type === 'system' && (type === 'project' || type === 'domain')) {
    throw forbiddenAction(
      'Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.',
    )
  }
}

interface Granted extends Wanted {
  facts: Facts
}

/** The scope with all that is behind it, when the user may have it. */
async function grant(ctx: Ctx, proof: Proof, wanted: Wanted | undefined, methods: readonly string[]): Promise<Granted> {
  const { user_id, applicationCredential, accessToken } = proof
  if (accessToken) {
    const own: Wanted = { scope: { type: 'project', id: accessToken.project_id } }
    const facts = await grantedFacts(ctx, { ...own, user_id, access_token_id: accessToken.id })
    if (!facts) throw new Unauthorized()
    return { ...own, facts }
  }
  if (applicationCredential) {
    const own = credentialScope(proof, wanted)
    const facts = await grantedFacts(ctx, { ...own, user_id, application_credential_id: applicationCredential.id })
    if (!facts) throw new Unauthorized()
    return { ...own, facts }
  }
  if (wanted) {
    const facts = await grantedFacts(ctx, { ...wanted, user_id })
    if (facts) return { ...wanted, facts }
    if (wanted.trust_id !== undefined) throw new Forbidden('Trustee has no delegated roles.')
    throw new Unauthorized()
  }
  // Nothing said: the user's own project when it may be used with these methods, and no scope otherwise.
  const id = (await users.find(ctx.db, { id: user_id }))?.default_project_id
  const own: Wanted = { scope: id ? { type: 'project', id } : unscoped }
  const ownFacts = await grantedFacts(ctx, { ...own, user_id })
  if (ownFacts && isMet(demandOf(ownFacts.target?.options ?? {}), methods)) return { ...own, facts: ownFacts }
  const facts = await grantedFacts(ctx, { user_id, scope: unscoped })
  if (!facts) throw new Unauthorized()
  return { scope: unscoped, facts }
}

export const issueToken = operation({
  id: 'identity.tokens.issue',
  method: 'POST',
  path: '/v3/auth/tokens',
  summary: 'Authenticate and issue a token',
  response: tokenAnswer,
  status: 201,
  policy: 'public',
  request,
  async handle(ctx, { body, query, headers, method, url, source }) {
    // Before anything is looked at: what is revoked from here on does not spare the new token.
    const before = await freshGeneration(ctx)
    const auth = body.auth as { identity: AuthIdentity; scope?: 'unscoped' | AskedScope }
    const asked = { headers, method, url, source }
    const { begun, ...proof } = await unlessGuessing(ctx, source, () => prove(ctx, auth.identity, asked))
    const generation = proof.generation ?? before
    const { user_id } = proof
    const receipt = headers['openstack-auth-receipt']
    const own = auth.identity.methods.filter(name => !begun.some(factor => factor.method === name))
    const { parent, applicationCredential, accessToken } = proof
    const login = { user_id, receipt, generation, root: parent && rootOf(parent) }
    const shown = { ...login, methods: [...own, ...(parent?.methods ?? [])] }
    const { methods, root, answer } = await needsMore(ctx, { ...shown, begun: begun.map(factor => factor.method) })
    for (const factor of begun) await factor.begin()
    if (answer) return answer
    const wanted = await wantedScope(ctx, auth.scope)
    checkParent(proof, wanted)
    const { facts, ...granted } = await grant(ctx, proof, wanted, methods)
    const isDelegated = applicationCredential !== undefined || granted.trust_id !== undefined || accessToken
    const more = await projectNeedsMore(ctx, { ...shown, methods, root }, facts.target, Boolean(isDelegated))
    if (more) return more
    const { token, body: issued } = await mint(ctx, {
      ...granted,
      facts,
      generation,
      user_id: proof.user_id,
      methods,
      root,
      ...(applicationCredential && { application_credential_id: applicationCredential.id }),
      ...(accessToken && { access_token_id: accessToken.id }),
      withCatalog: !('nocatalog' in (query as object)),
    })
    if (granted.trust_id !== undefined && !(await consumeUse(ctx.db, granted.trust_id))) {
      throw new Forbidden(`No remaining uses for trust: ${granted.trust_id}.`)
    }
    return reply(issued, { status: 201, headers: { 'x-subject-token': token, ...kept } })
  },
})
