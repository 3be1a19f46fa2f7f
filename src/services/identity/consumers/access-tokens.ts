/** What a user lets OAuth1 consumers do. */
import { isoMicros } from '#kernel/clock.ts'
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, roleAnswer, texts } from '../answers.ts'
import { collectionOf, linkTo } from '../listing.ts'
import { adminRequired, identityRule } from '../policy.ts'
import { announce, identityChanged } from '../revocations/revocation.ts'
import { roleView } from '../roles/role.ts'
import { roles } from '../roles/store.ts'
import { checkNotDelegated } from './operations.ts'
import { type AccessTokenRow, accessTokens } from './store.ts'

const answer = Type.Object({
  ...texts('id', 'consumer_id', 'project_id', 'authorizing_user_id', 'expires_at'),
  links: Type.Optional(linksAnswer),
})

const path = '/v3/users/{user_id}/OS-OAUTH1/access_tokens'
const rule = (name: string) => identityRule(name, adminRequired, ['project'])
const byId = { orderBy: [{ column: 'id' as const, direction: 'asc' as const }] }

function view(ctx: Ctx, { id, consumer_id, project_id, user_id, expires_at }: AccessTokenRow) {
  const own = linkTo(ctx, `users/${user_id}/OS-OAUTH1/access_tokens/${id}`)
  return {
    id,
    consumer_id,
    project_id,
    authorizing_user_id: user_id,
    expires_at: expires_at === null ? null : isoMicros(expires_at),
    links: { ...own, roles: `${own.self}/roles` },
  }
}

async function find(ctx: Ctx, { user_id, access_token_id }: { user_id: string; access_token_id: string }) {
  const row = await accessTokens.find(ctx.db, { id: access_token_id, user_id })
  if (!row) throw new NotFound('Could not find access token.')
  return row
}

const check = (ctx: Ctx) => checkNotDelegated(ctx, 'manage OAuth access tokens')

const list = operation({
  id: 'identity.access_tokens.list',
  method: 'GET',
  path,
  summary: 'List what a user lets consumers do',
  response: listOf('access_tokens', answer),
  policy: rule('list_access_tokens'),
  async handle(ctx, { params: { user_id }, url }) {
    check(ctx)
    const found = await accessTokens.list(ctx.db, { user_id }, byId)
    return { access_tokens: found.map(row => view(ctx, row)), links: collectionOf(ctx, url) }
  },
})

const show = operation({
  id: 'identity.access_tokens.show',
  method: 'GET',
  path: `${path}/{access_token_id}`,
  summary: 'Show what a user lets a consumer do',
  response: oneOf('access_token', answer),
  policy: rule('get_access_token'),
  async handle(ctx, { params }) {
    check(ctx)
    return { access_token: view(ctx, await find(ctx, params)) }
  },
})

const remove = operation({
  id: 'identity.access_tokens.delete',
  method: 'DELETE',
  path: `${path}/{access_token_id}`,
  summary: 'No longer let a consumer act for a user',
  policy: rule('delete_access_token'),
  async handle(ctx, { params }) {
    check(ctx)
    const { id } = await find(ctx, params)
    await ctx.transaction(async tx => {
      await accessTokens.remove(tx.db, { id })
      await announce(tx, { 'OS-OAUTH1:access_token_id': id })
      await identityChanged(tx)
    })
    return undefined
  },
})

const listRoles = operation({
  id: 'identity.access_tokens.list_roles',
  method: 'GET',
  path: `${path}/{access_token_id}/roles`,
  summary: 'List the roles that a consumer acts with',
  response: listOf('roles', roleAnswer),
  policy: rule('list_access_token_roles'),
  async handle(ctx, { params, url }) {
    const { role_ids } = await find(ctx, params)
    const found = await roles.list(ctx.db, { id: role_ids }, byId)
    return { roles: found.map(role => roleView(ctx, role)), links: collectionOf(ctx, url) }
  },
})

const showRole = operation({
  id: 'identity.access_tokens.show_role',
  method: 'GET',
  path: `${path}/{access_token_id}/roles/{role_id}`,
  summary: 'Show a role that a consumer acts with',
  response: oneOf('role', roleAnswer),
  policy: rule('get_access_token_role'),
  async handle(ctx, { params }) {
    const { role_ids } = await find(ctx, params)
    const role = role_ids.includes(params.role_id) && (await roles.find(ctx.db, { id: params.role_id }))
    if (!role) throw new NotFound('Could not find role')
    return { role: roleView(ctx, role) }
  },
})

export const accessTokenOperations = [list, show, remove, listRoles, showRole]
