/** Groups: the five operations and membership. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { operation, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { groupAnswer, listOf, userAnswer } from '../answers.ts'
import { assignments } from '../assignments/store.ts'
import { notFound } from '../faults.ts'
import { leaveGroup } from '../federation/federation.ts'
import { collectionOf, inexact, linkTo } from '../listing.ts'
import { checkWritable, copyForList, copyMembers } from '../mirror.ts'
import { adminRequired, allScopes, identityRule, systemReader } from '../policy.ts'
import { projects } from '../projects/store.ts'
import { resource } from '../resource.ts'
import { identityChanged } from '../revocations/revocation.ts'
import { users } from '../users/store.ts'
import { revokeUserTokens, userView } from '../users/user.ts'
import { type GroupRow, groups, groupsOfUser, memberships, usersOfGroup } from './store.ts'

const manager = `${adminRequired} or (role:manager and domain_id:%(target.group.domain_id)s)`
const reader = `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.group.domain_id)s)`
const bothReader = `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)`
const bothManager = `${adminRequired} or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)`

function groupView(ctx: Ctx, row: GroupRow) {
  const { extra, id, name, domain_id, description } = row
  return { ...extra, id, name, domain_id, description, links: linkTo(ctx, `groups/${id}`) }
}

export const groupResource = resource<GroupRow>({
  member: 'group',
  collection: 'groups',
  store: groups,
  attributes: {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    domain_id: Type.String({ maxLength: 64 }),
    description: Type.Union([Type.String(), Type.Null()]),
  },
  required: ['name'],
  fixed: ['domain_id'],
  filters: ['name', 'domain_id'],
  policy: {
    get: reader,
    list: `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.domain_id)s)`,
    create: manager,
    update: manager,
    delete: manager,
  },
  target: row => ({ 'target.group.domain_id': row.domain_id }),
  listed: ctx => (ctx.identity.domain_id ? { domain_id: ctx.identity.domain_id } : {}),
  bringIn: (ctx, asked) => copyForList(ctx, 'group', asked),
  view: groupView,
  duplicate: values => `Duplicate entry found with name ${values.name} at domain ID ${values.domain_id}`,
  async create(ctx, values, extra) {
    const domain_id = String(values.domain_id)
    if (!(await projects.find(ctx.db, { id: domain_id, is_domain: true }))) throw notFound('domain', domain_id)
    await checkWritable(ctx, domain_id)
    const description = String(values.description ?? '')
    const row: GroupRow = { id: ctx.ids.hex(), name: String(values.name), domain_id, description, extra }
    await groups.insert(ctx.db, row)
    return row
  },
  async update(ctx, row, patch) {
    await checkWritable(ctx, row.domain_id)
    return patch as Partial<GroupRow>
  },
  async remove(ctx, { id, domain_id }) {
    await checkWritable(ctx, domain_id)
    for (const { user_id } of await memberships.list(ctx.db, { group_id: id })) await revokeUserTokens(ctx, user_id)
    await memberships.remove(ctx.db, { group_id: id })
    await leaveGroup(ctx, id)
    await assignments.remove(ctx.db, { actor_type: 'group', actor_id: id })
  },
})

const memberPath = '/v3/groups/{group_id}/users/{user_id}'

function notMember({ group_id, user_id }: { group_id: string; user_id: string }): NotFound {
  return new NotFound(`User '${user_id}' not found in group '${group_id}'.`)
}

async function loadBoth(ctx: Ctx, { group_id, user_id }: { group_id: string; user_id: string }) {
  const group = await groupResource.find(ctx, group_id)
  const user = await users.find(ctx.db, { id: user_id })
  if (!user) throw notFound('user', user_id)
  return { 'target.group.domain_id': group.domain_id, 'target.user.domain_id': user.domain_id }
}

export const addMember = operation({
  id: 'identity.groups.add_user',
  method: 'PUT',
  path: memberPath,
  summary: 'Add a user to a group',
  status: 204,
  policy: identityRule('add_user_to_group', bothManager, allScopes),
  load: (ctx, { params }) => loadBoth(ctx, params),
  async handle(ctx, { params, target }) {
    await checkWritable(ctx, target['target.group.domain_id'])
    await ctx.transaction(async tx => {
      if (await memberships.insertNew(tx.db, params)) await identityChanged(tx)
    })
    return undefined
  },
})

export const checkMember = operation({
  id: 'identity.groups.check_user',
  method: 'GET',
  path: memberPath,
  summary: 'Say whether a user is in a group',
  status: 204,
  policy: identityRule('check_user_in_group', bothReader, allScopes),
  load: (ctx, { params }) => loadBoth(ctx, params),
  async handle(ctx, { params }) {
    if (!(await memberships.find(ctx.db, params))) throw notMember(params)
    return reply(undefined, { status: 204 })
  },
})

export const removeMember = operation({
  id: 'identity.groups.remove_user',
  method: 'DELETE',
  path: memberPath,
  summary: 'Remove a user from a group',
  policy: identityRule('remove_user_from_group', bothManager, allScopes),
  load: (ctx, { params }) => loadBoth(ctx, params),
  async handle(ctx, { params, target }) {
    await checkWritable(ctx, target['target.group.domain_id'])
    await ctx.transaction(async tx => {
      if ((await memberships.remove(tx.db, params)) === 0) throw notMember(params)
      await revokeUserTokens(tx, params.user_id)
    })
    return undefined
  },
})

export const listMembers = operation({
  id: 'identity.groups.list_users',
  method: 'GET',
  path: '/v3/groups/{group_id}/users',
  summary: 'List the users of a group',
  response: listOf('users', userAnswer),
  policy: identityRule('list_users_in_group', reader, allScopes),
  async load(ctx, { params }) {
    const group = await groupResource.find(ctx, params.group_id)
    return { 'target.group.domain_id': group.domain_id, group }
  },
  async handle(ctx, { params, query, url, target }) {
    await copyMembers(ctx, target.group)
    const found = inexact(query, await usersOfGroup(ctx.db, params.group_id), ['name'])
    return { users: found.map(user => userView(ctx, user)), links: collectionOf(ctx, url) }
  },
})

export const listGroupsOfUser = operation({
  id: 'identity.users.list_groups',
  method: 'GET',
  path: '/v3/users/{user_id}/groups',
  summary: 'List the groups of a user',
  response: listOf('groups', groupAnswer),
  policy: identityRule(
    'list_groups_for_user',
    `${adminRequired} or ${systemReader} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s`,
    allScopes,
  ),
  async load(ctx, { params }) {
    const user = await users.find(ctx.db, { id: params.user_id })
    if (!user) throw notFound('user', params.user_id)
    return { user_id: user.id, 'target.user.domain_id': user.domain_id }
  },
  async handle(ctx, { params, query, url }) {
    const found = inexact(query, await groupsOfUser(ctx.db, params.user_id), ['name'])
    return { groups: found.map(group => groupView(ctx, group)), links: collectionOf(ctx, url) }
  },
})

export const groupOperations = [
  ...groupResource.operations,
  addMember,
  checkMember,
  removeMember,
  listMembers,
  listGroupsOfUser,
]
