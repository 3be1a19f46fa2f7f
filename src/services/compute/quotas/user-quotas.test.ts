import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { admitted } from '../servers/quota.ts'

test('a user with limits of its own makes no more servers than they allow; others of the project do', async () => {
  await using cloud = await serverCloud()
  const admin = await cloud.admin()
  const demo = await cloud.project('p1')
  const path = `/os-quota-sets/${demo.id}?user_id=${demo.user_id}`
  const limited = await cloud.api(admin, 'PUT', path, { quota_set: { instances: 1, metadata_items: 0 } })
  assert.equal(limited.status, 200)
  await cloud.boot(demo)
  const make = (more: Record<string, unknown> = {}) =>
    cloud.api<{ forbidden: { message: string } }>(demo, 'POST', '/servers', { server: cloud.newServer(more) })
  const refused = await make()
  assert.deepEqual(
    [refused.status, refused.body.forbidden.message],
    [403, 'Quota exceeded for instances: Requested 1, but already used 1 of 1 instances'],
  )
  const detail = `/os-quota-sets/${demo.id}/detail?user_id=${demo.user_id}`
  const { quota_set } = (await cloud.api<{ quota_set: Record<string, unknown> }>(admin, 'GET', detail)).body
  assert.deepEqual(quota_set.instances, { in_use: 1, limit: 1, reserved: 0 })
  assert.equal((await cloud.api(admin, 'DELETE', path)).status, 202)
  assert.equal((await make({ metadata: { a: 'b' } })).status, 202)
  await cloud.env.sagas.idle()
})

test('a user with limits of its own resizes no further than they allow, whoever asks for it', async () => {
  await using cloud = await serverCloud()
  const [admin, demo] = [await cloud.admin(), await cloud.project('p1')]
  const { id } = await cloud.boot(demo)
  const path = `/os-quota-sets/${demo.id}?user_id=${demo.user_id}`
  assert.equal((await cloud.api(admin, 'PUT', path, { quota_set: { ram: 150 } })).status, 200)
  type Refused = { forbidden: { message: string } }
  for (const who of [demo, admin]) {
    const action = { resize: { flavorRef: '84' } }
    const refused = await cloud.api<Refused>(who, 'POST', `/servers/${id}/action`, action)
    const message = 'Quota exceeded for ram: Requested 64, but already used 128 of 150 ram'
    assert.deepEqual([refused.status, refused.body.forbidden?.message], [403, message])
  }
})

test('the servers of a project without limits are not counted', async () => {
  await using cloud = await serverCloud()
  const admin = await cloud.admin()
  const demo = await cloud.project('p1')
  await cloud.boot(demo)
  const demand = { vcpus: 1, memory_mb: 1, disk_gb: 0, min_count: 1, max_count: 2 }
  const statements = () =>
    cloud.ctx().transaction(async tx => {
      const before = cloud.env.database.statements()
      assert.equal(await admitted(tx, demo.id, demand), 2)
      return cloud.env.database.statements() - before
    })
  const limited = await statements()
  const quota_set = { instances: -1, cores: -1, ram: -1 }
  assert.equal((await cloud.api(admin, 'PUT', `/os-quota-sets/${demo.id}`, { quota_set })).status, 200)
  assert.equal(await statements(), limited - 1)
})
