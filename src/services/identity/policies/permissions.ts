/** What the bearer of a token may do. */
import { operation } from '#kernel/operation.ts'
import type { Target } from '#kernel/policy/credentials.ts'
import { Type } from '#kernel/schema/builders.ts'
import { listOf } from '../answers.ts'
import { linkTo } from '../listing.ts'
import { identityRule } from '../policy.ts'

export const showPermissions = operation({
  id: 'identity.auth.permissions',
  method: 'GET',
  path: '/v3/auth/permissions',
  summary:
    "List the policy rules that let the token through, for what is the bearer's own: its project, domain and user",
  response: listOf('permissions', Type.Object({ rule: Type.String(), description: Type.Optional(Type.String()) })),
  policy: identityRule('get_auth_permissions', ''),
  query: Type.Object({
    rule: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 100 })])),
  }),
  async handle(ctx, { query: { rule } }) {
    const { user_id, project_id, domain_id } = ctx.identity
    const target: Target = {
      ...{ user_id, project_id, domain_id },
      ...{ 'target.user.id': user_id, 'target.project.id': project_id, 'target.domain.id': domain_id },
    }
    const asked = rule === undefined ? undefined : new Set([rule].flat())
    const permissions = ctx.policy
      .describe()
      .filter(({ name }) => (asked?.has(name) ?? true) && ctx.policy.allows(name, ctx.identity, target))
      .map(({ name, description }) => ({ rule: name, description }))
    return { permissions, links: linkTo(ctx, 'auth/permissions') }
  },
})
