/** The access rules that a user's application credentials are held to. */
import type { Ctx } from '#kernel/context.ts'
import { Forbidden } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { linksAnswer, listOf, oneOf, texts } from '../answers.ts'
import { notFound } from '../faults.ts'
import { collectionOf, equals, linkTo } from '../listing.ts'
import { identityRule, systemOrProject, systemReader } from '../policy.ts'
import { type AccessRuleRow, accessRules, applicationCredentials } from './store.ts'

const answer = Type.Object({ ...texts('id', 'service', 'method', 'path'), links: Type.Optional(linksAnswer) })

const path = '/v3/users/{user_id}/access_rules'
const own = 'user_id:%(target.user.id)s'
const read = `${systemReader} or ${own}`
const change = `(role:admin and system_scope:all) or ${own}`

function view(ctx: Ctx, { id, user_id, service, method, path: rulePath }: AccessRuleRow) {
  return { id, service, method, path: rulePath, links: linkTo(ctx, `users/${user_id}/access_rules/${id}`) }
}

const target = async (_ctx: Ctx, { params }: { params: { user_id: string } }) => ({ 'target.user.id': params.user_id })

async function findRule(ctx: Ctx, { user_id, access_rule_id: id }: { user_id: string; access_rule_id: string }) {
  const row = await accessRules.find(ctx.db, { id, user_id })
  if (!row) throw notFound('Access Rule', id)
  return row
}

const list = operation({
  id: 'identity.access_rules.list',
  method: 'GET',
  path,
  summary: 'List the access rules of a user',
  response: listOf('access_rules', answer),
  policy: identityRule('list_access_rules', read, systemOrProject),
  load: target,
  async handle(ctx, { params, query, url }) {
    const where = { ...equals(query, ['service', 'method', 'path']), user_id: params.user_id }
    const found = await accessRules.list(ctx.db, where, { orderBy: [{ column: 'id', direction: 'asc' }] })
    return { access_rules: found.map(row => view(ctx, row)), links: collectionOf(ctx, url) }
  },
})

const show = operation({
  id: 'identity.access_rules.show',
  method: 'GET',
  path: `${path}/{access_rule_id}`,
  summary: 'Show an access rule',
  response: oneOf('access_rule', answer),
  policy: identityRule('get_access_rule', read, systemOrProject),
  load: target,
  handle: async (ctx, { params }) => ({ access_rule: view(ctx, await findRule(ctx, params)) }),
})

const remove = operation({
  id: 'identity.access_rules.delete',
  method: 'DELETE',
  path: `${path}/{access_rule_id}`,
  summary: 'Delete an access rule that no application credential uses',
  policy: identityRule('delete_access_rule', change, systemOrProject),
  load: target,
  async handle(ctx, { params }) {
    const { id, user_id } = await findRule(ctx, params)
    const users = await applicationCredentials.list(ctx.db, { user_id })
    if (users.some(one => one.access_rules?.some(rule => rule.id === id))) {
      throw new Forbidden('May not delete access rule in use')
    }
    await accessRules.remove(ctx.db, { id })
    return undefined
  },
})

export const accessRuleOperations = [list, show, remove]
