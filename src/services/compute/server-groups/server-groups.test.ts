import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'
import { groupOf, groupsOf, joinGroup, leaveGroups } from './store.ts'

interface Group {
  id: string
  name: string
  policy?: string
  policies?: string[]
  rules?: { max_server_per_host?: number }
  members: string[]
  project_id?: string
}
type One = { server_group: Group }
type List = { server_groups: Group[] }

onEachEngine('a project makes, sees and deletes its groups, and no other project does', async database => {
  await using cloud = await computeCloud({ database })
  const server_group = { name: 'apart', policy: 'anti-affinity', rules: { max_server_per_host: '3' } }
  const made = await cloud.call<One>('alice', 'POST', '/os-server-groups', { server_group })
  const { id, ...rest } = made.body.server_group
  assert.deepEqual(rest, {
    name: 'apart',
    policy: 'anti-affinity',
    rules: { max_server_per_host: 3 },
    members: [],
    project_id: projects.demo,
    user_id: 'alice',
  })
  assert.equal((await cloud.call('bob', 'GET', `/os-server-groups/${id}`)).status, 404)
  assert.equal((await cloud.call('bob', 'DELETE', `/os-server-groups/${id}`)).status, 404)
  assert.equal((await cloud.call('reader', 'DELETE', `/os-server-groups/${id}`)).status, 403)
  const seen = async (who: 'admin' | 'bob' | 'reader', query = '') =>
    (await cloud.call<List>(who, 'GET', `/os-server-groups${query}`)).body.server_groups.length
  assert.deepEqual([await seen('reader'), await seen('bob', '?all_projects=1'), await seen('admin')], [1, 0, 0])
  assert.equal(await seen('admin', '?all_projects=1'), 1)
  assert.equal((await cloud.call('alice', 'DELETE', `/os-server-groups/${id}`)).status, 204)
  assert.equal((await cloud.call('alice', 'GET', `/os-server-groups/${id}`)).status, 404)
})

onEachEngine('servers join and leave a group, as many as the quota allows', async database => {
  await using cloud = await computeCloud({ database, set: ['compute.quota.server_group_members=2'] })
  const { body } = await cloud.call<One>('alice', 'POST', '/os-server-groups', {
    server_group: { name: 'g', policy: 'soft-affinity' },
  })
  const { id } = body.server_group
  const ctx = cloud.ctx()
  for (const server of ['s1', 's2']) await ctx.transaction(tx => joinGroup(tx, id, server))
  await assert.rejects(
    ctx.transaction(tx => joinGroup(tx, id, 's3')),
    /Quota exceeded, too many servers in group/,
  )
  assert.deepEqual(await groupOf(ctx, id), { policy: 'soft-affinity', rules: {}, members: ['s1', 's2'] })
  assert.deepEqual(await groupsOf(ctx, 's1'), [id])
  await leaveGroups(ctx, 's1')
  const shown = await cloud.call<One>('alice', 'GET', `/os-server-groups/${id}`)
  assert.deepEqual(shown.body.server_group.members, ['s2'])
})

test('older versions name policies in a list', async () => {
  await using cloud = await computeCloud({ set: ['compute.quota.server_groups=1'] })
  const make = (server_group: unknown, version: string) =>
    cloud.call<One>('alice', 'POST', '/os-server-groups', { server_group }, version)
  assert.equal((await make({ name: 'g', policies: ['soft-affinity'] }, '2.14')).status, 400)
  assert.equal((await make({ name: 'g', policy: 'affinity' }, '2.63')).status, 400)
  assert.equal((await make({ name: 'g', policy: 'affinity', rules: { max_server_per_host: 2 } }, '2.64')).status, 400)
  const made = await make({ name: 'g', policies: ['affinity'] }, '2.1')
  assert.deepEqual(Object.keys(made.body.server_group).sort(), ['id', 'members', 'metadata', 'name', 'policies'])
  assert.deepEqual(made.body.server_group.policies, ['affinity'])
  const over = await make({ name: 'h', policies: ['affinity'] }, '2.1')
  assert.equal(over.status, 403)
})
