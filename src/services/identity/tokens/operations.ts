/** A token shown and revoked, and what its bearer may do with it: catalog and possible scopes. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden, NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listOf, texts } from '../answers.ts'
import { catalogFor } from '../catalog/catalog.ts'
import { identityConfig } from '../config.ts'
import { isYes, linkTo } from '../listing.ts'
import { adminOrSystemReader, allScopes, identityRule } from '../policy.ts'
import { revokeToken } from '../revocations/revocation.ts'
import { tokenBody } from './body.ts'
import { kept, tokenAnswer } from './mint.ts'
import { checkToken } from './validate.ts'

const subject = 'user_id:%(target.token.user_id)s'
const validatePolicy = identityRule(
  'validate_token',
  `${adminOrSystemReader} or rule:service_role or ${subject}`,
  allScopes,
)
const revokePolicy = identityRule('revoke_token', `rule:admin_required or ${subject}`, allScopes)

async function subjectOf(ctx: Ctx, headers: Record<string, string | undefined>, lateMs: number) {
  const token = headers['x-subject-token']
  const found = token ? await checkToken(ctx, token, lateMs) : undefined
  if (!found) throw new NotFound('Could not find token.')
  return { ...found, 'target.token.user_id': found.claims.user_id }
}

export const showToken = operation({
  id: 'identity.tokens.show',
  method: 'GET',
  path: '/v3/auth/tokens',
  summary: 'Validate a token and show it',
  response: tokenAnswer,
  policy: validatePolicy,
  query: Type.Object({ allow_expired: Type.Optional(Type.String()), nocatalog: Type.Optional(Type.String()) }),
  load: (ctx, { headers, query }) => {
    const late = /^(1|true|yes|on)$/i.test(String((query as { allow_expired?: string }).allow_expired ?? ''))
    const mayLookBack = late && ctx.identity.roles.includes('service')
    return subjectOf(ctx, headers, mayLookBack ? ctx.config.of(identityConfig).expired_token_window_seconds * 1000 : 0)
  },
  async handle(ctx, { target, query, headers }) {
    const body = await tokenBody(ctx, target.claims, target.facts, query.nocatalog === undefined)
    return reply(body, { headers: { 'x-subject-token': headers['x-subject-token']!, ...kept } })
  },
})

export const deleteToken = operation({
  id: 'identity.tokens.revoke',
  method: 'DELETE',
  path: '/v3/auth/tokens',
  summary: 'Revoke a token, and those made from it unless the query says cascade=false',
  policy: revokePolicy,
  query: Type.Object({ cascade: Type.Optional(Type.String()) }),
  load: (ctx, { headers }) => subjectOf(ctx, headers, 0),
  async handle(ctx, { target, query }) {
    const { audit_ids, expires_at } = target.claims
    await ctx.transaction(tx =>
      revokeToken(tx, audit_ids[0]!, expires_at, { withDerived: isYes(query.cascade ?? 'true') }),
    )
    return undefined
  },
})

export const showCatalog = operation({
  id: 'identity.catalog.show',
  method: 'GET',
  path: '/v3/auth/catalog',
  summary: 'Show the catalog of the token',
  response: listOf(
    'catalog',
    Type.Object({
      ...texts('id', 'type', 'name'),
      endpoints: Type.Array(Type.Object(texts('id', 'interface', 'region_id', 'region', 'url'))),
    }),
  ),
  policy: identityRule('get_auth_catalog', ''),
  async handle(ctx) {
    const { user_id, project_id } = ctx.identity
    if (project_id === undefined)
      throw new Forbidden('A project-scoped token is required to produce a service catalog.')
    return { catalog: await catalogFor(ctx, user_id, project_id), links: linkTo(ctx, 'auth/catalog') }
  },
})
