import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'
import { quotaLimits } from './quota.ts'

type QuotaSet = { quota_set: Record<string, number | string> }
type Detail = { quota_set: Record<string, { in_use: number; limit: number; reserved: number }> }
const path = `/os-quota-sets/${projects.demo}`

onEachEngine("a project's quotas are the defaults until an operator changes them", async database => {
  await using cloud = await computeCloud({ database })
  const show = async () => (await cloud.call<QuotaSet>('alice', 'GET', path)).body.quota_set
  assert.deepEqual(await show(), {
    id: projects.demo,
    instances: 10,
    cores: 20,
    ram: 51_200,
    metadata_items: 128,
    key_pairs: 100,
    server_groups: 10,
    server_group_members: 10,
  })
  const put = (quota_set: unknown) => cloud.call<QuotaSet>('admin', 'PUT', path, { quota_set })
  const changed = await put({ instances: '3', cores: -1 })
  assert.deepEqual([changed.body.quota_set.instances, changed.body.quota_set.cores], [3, -1])
  assert.equal(changed.body.quota_set.id, undefined)
  await put({ instances: 4 })
  assert.deepEqual([(await show()).instances, (await quotaLimits(cloud.ctx(), projects.demo)).instances], [4, 4])
  assert.equal((await cloud.call<QuotaSet>('alice', 'GET', `${path}/defaults`)).body.quota_set.instances, 10)
  assert.equal((await cloud.call('admin', 'DELETE', path)).status, 202)
  assert.equal((await show()).instances, 10)
})

onEachEngine('the class `default` holds for projects without their own', async database => {
  await using cloud = await computeCloud({ database })
  const classes = '/os-quota-class-sets'
  await cloud.call('admin', 'PUT', `${classes}/default`, { quota_class_set: { cores: 40 } })
  await cloud.call('admin', 'PUT', `${classes}/gold`, { quota_class_set: { cores: 99 } })
  assert.equal((await cloud.call<QuotaSet>('alice', 'GET', path)).body.quota_set.cores, 40)
  await cloud.call('admin', 'PUT', path, { quota_set: { cores: 7 } })
  await cloud.call('admin', 'PUT', `${classes}/default`, { quota_class_set: { cores: 50 } })
  assert.equal((await cloud.call<QuotaSet>('alice', 'GET', path)).body.quota_set.cores, 7, 'its own stays')
  const gold = await cloud.call<{ quota_class_set: Record<string, unknown> }>('admin', 'GET', `${classes}/gold`)
  assert.deepEqual([gold.body.quota_class_set.id, gold.body.quota_class_set.cores], ['gold', 99])
  assert.equal((await cloud.call('alice', 'GET', `${classes}/default`)).status, 403)
})

test('usage is shown beside the limit, and a limit below it needs force', async () => {
  await using cloud = await computeCloud()
  await cloud.call('alice', 'POST', '/os-server-groups', { server_group: { name: 'g', policy: 'affinity' } })
  const { body } = await cloud.call<Detail>('alice', 'GET', `${path}/detail`)
  assert.deepEqual(body.quota_set.server_groups, { in_use: 1, limit: 10, reserved: 0 })
  const put = (quota_set: unknown) =>
    cloud.call<QuotaSet & { badRequest?: { message: string } }>('admin', 'PUT', path, { quota_set })
  assert.equal(
    (await put({ server_groups: 0 })).body.badRequest?.message,
    'Quota limit 0 for server_groups must be greater than or equal to already used and reserved 1.',
  )
  assert.equal((await put({ server_groups: 0, force: 'true' })).body.quota_set.server_groups, 0)
  for (const bad of [{ cores: -2 }, { cores: '-2' }, { cores: 'many' }, { unknown: 1 }, { floating_ips: 1 }])
    assert.equal((await put(bad)).status, 400)
  assert.equal((await cloud.call('bob', 'GET', path)).status, 403)
  assert.equal((await cloud.call('alice', 'PUT', path, { quota_set: {} })).status, 403)
})

test('older versions show the quotas of networks and files too', async () => {
  await using cloud = await computeCloud()
  const keys = async (version: string) =>
    Object.keys((await cloud.call<QuotaSet>('alice', 'GET', path, undefined, version)).body.quota_set)
  assert.ok((await keys('2.35')).includes('floating_ips'))
  const middle = await keys('2.36')
  assert.ok(!middle.includes('floating_ips') && middle.includes('injected_files'))
  assert.ok(!(await keys('2.57')).includes('injected_files'))
})

interface Limits {
  limits: { rate: unknown[]; absolute: Record<string, number> }
}

test('limits say what a project may have and has', async () => {
  await using cloud = await computeCloud()
  await cloud.call('admin', 'PUT', path, { quota_set: { cores: 7 } })
  const { body } = await cloud.call<Limits>('alice', 'GET', '/limits')
  assert.deepEqual(body.limits, {
    rate: [],
    absolute: {
      maxTotalRAMSize: 51_200,
      maxTotalInstances: 10,
      maxTotalCores: 7,
      maxTotalKeypairs: 100,
      maxServerMeta: 128,
      maxServerGroups: 10,
      maxServerGroupMembers: 10,
      totalRAMUsed: 0,
      totalCoresUsed: 0,
      totalInstancesUsed: 0,
      totalServerGroupsUsed: 0,
    },
  })
  assert.equal((await cloud.call('alice', 'GET', `/limits?tenant_id=${projects.other}`)).status, 403)
  const other = await cloud.call<Limits>('admin', 'GET', `/limits?tenant_id=${projects.demo}`)
  assert.equal(other.body.limits.absolute.maxTotalCores, 7)
  assert.ok(
    'maxImageMeta' in (await cloud.call<Limits>('alice', 'GET', '/limits', undefined, '2.1')).body.limits.absolute,
  )
})

onEachEngine('a user may have limits of its own, within the project and never below what it has', async database => {
  await using cloud = await computeCloud({ database })
  type Answer = QuotaSet & { badRequest: { message: string } }
  const put = (quota_set: unknown, query = '?user_id=alice') =>
    cloud.call<Answer>('admin', 'PUT', `${path}${query}`, { quota_set })
  const coresOf = async (query: string) =>
    (await cloud.call<QuotaSet>('admin', 'GET', `${path}${query}`)).body.quota_set.cores
  assert.equal((await put({ cores: 15 })).body.quota_set.cores, 15)
  assert.deepEqual([await coresOf('?user_id=alice'), await coresOf('?user_id=rita'), await coresOf('')], [15, 20, 20])
  const tooMany = await put({ cores: 6 }, '?user_id=rita')
  assert.deepEqual(
    [tooMany.status, tooMany.body.badRequest.message],
    [400, 'Quota limit 6 for cores must be less than or equal to 5.'],
  )
  const tooFew = await put({ cores: 14 }, '')
  assert.equal(
    tooFew.body.badRequest.message,
    'Quota limit 14 for cores must be greater than or equal to already used and reserved 15.',
  )
  assert.equal((await put({ server_groups: 1 })).status, 200)
  const group = (name: string) =>
    cloud.call('alice', 'POST', '/os-server-groups', { server_group: { name, policy: 'affinity' } })
  assert.equal((await group('a')).status, 200)
  assert.equal((await group('b')).status, 403)
  assert.equal((await put({ server_groups: 0 })).status, 400)
  assert.equal((await cloud.call('admin', 'DELETE', `${path}?user_id=alice`)).status, 202)
  assert.equal(await coresOf('?user_id=alice'), 20)
  assert.equal((await group('b')).status, 200)
})

test('limits of networks are kept, and projects must be known', async () => {
  await using cloud = await computeCloud()
  const classPath = '/os-quota-class-sets/default'
  const body = { quota_class_set: { floating_ips: 7 } }
  assert.equal((await cloud.call('admin', 'PUT', classPath, body, '2.49')).status, 200)
  const shown = await cloud.call<{ quota_class_set: Record<string, number> }>(
    'admin',
    'GET',
    classPath,
    undefined,
    '2.1',
  )
  assert.deepEqual([shown.body.quota_class_set.floating_ips, shown.body.quota_class_set.fixed_ips], [7, -1])
  const unknown = await cloud.call<{ badRequest: { message: string } }>('admin', 'GET', '/os-quota-sets/none')
  assert.equal(unknown.body.badRequest.message, 'Project ID none is not a valid project.')
})
