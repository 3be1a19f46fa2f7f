/** Stories of the one migrate: whether a server moves as it runs is asked for, or left to what is possible. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../fixtures/server-cloud.ts'

interface Answer {
  migration: { uuid: string; live: boolean; reason?: string }
  conflictingRequest?: { message: string }
  badRequest?: { message: string }
}

async function stage() {
  const cloud = await serverCloud({ hosts: ['h1', 'h2'] })
  const [admin, demo] = [await cloud.admin(), await cloud.project('p1')]
  const server = await cloud.boot(demo)
  const act = async (body: object, who = admin) => {
    const answer = await cloud.api<Answer>(who, 'POST', `/servers/${server.id}/action`, body)
    await cloud.env.sagas.idle()
    return answer
  }
  const migrate = (wish: object, who = admin) => act({ 'nephos-migrate': wish }, who)
  return Object.assign(cloud, { administrator: admin, demo, server, act, migrate })
}

test('a server that runs moves live, one that is off moves cold, and both are records of one shape', async () => {
  await using s = await stage()
  const { host } = await s.row(s.server.id)
  const live = await s.migrate({})
  assert.deepEqual([live.status, live.body.migration.live, live.body.migration.reason], [202, true, undefined])
  assert.equal((await s.show(s.demo, s.server.id)).status, 'ACTIVE')
  assert.notEqual((await s.row(s.server.id)).host, host)

  await s.act({ 'os-stop': null })
  const cold = await s.migrate({ live: 'auto', host })
  assert.deepEqual([cold.body.migration.live, cold.body.migration.reason], [false, 'it is stopped'])
  assert.equal((await s.show(s.demo, s.server.id)).status, 'VERIFY_RESIZE')
  await s.act({ confirmResize: null })
  assert.equal((await s.row(s.server.id)).host, host)

  const { body } = await s.api<{ migrations: Record<string, unknown>[] }>(s.administrator, 'GET', '/os-migrations')
  const [second, first] = body.migrations
  assert.deepEqual([first!.uuid, second!.uuid], [live.body.migration.uuid, cold.body.migration.uuid])
  assert.deepEqual([first!.migration_type, second!.migration_type], ['live-migration', 'migration'])
  assert.deepEqual(Object.keys(first!).sort(), Object.keys(second!).sort())
})

test('yes and no are obeyed, or refused with the words of the action that they stand for', async () => {
  await using s = await stage()
  const cold = await s.migrate({ live: 'no' })
  assert.deepEqual(cold.body.migration.live, false)
  assert.equal((await s.show(s.demo, s.server.id)).status, 'VERIFY_RESIZE')
  const twice = await s.migrate({})
  assert.match(twice.body.conflictingRequest!.message, /Cannot 'migrate' instance .* vm_state resized/)
  await s.act({ revertResize: null })
  await s.act({ 'os-stop': null })
  const off = await s.migrate({ live: 'yes' })
  assert.match(off.body.conflictingRequest!.message, /Cannot 'os-migrateLive' instance .* vm_state stopped/)
  const unknown = await s.migrate({ host: 'nowhere' })
  assert.equal(unknown.body.badRequest!.message, 'Compute host nowhere could not be found.')
  assert.equal((await s.migrate({ live: 'maybe' })).status, 400)
  assert.equal((await s.migrate({}, s.demo)).status, 403)
})

test('where no host can take it as it runs, it moves cold and says why', async () => {
  await using s = await stage()
  const { host } = await s.row(s.server.id)
  const other = host === 'h1' ? 'h2' : 'h1'
  const { body } = await s.api<{ services: { id: string }[] }>(s.administrator, 'GET', `/os-services?host=${other}`)
  await s.api(s.administrator, 'PUT', `/os-services/${body.services[0]!.id}`, { status: 'disabled' })
  const refused = await s.migrate({})
  assert.equal(refused.body.migration.reason, 'no other host is up and enabled')
  const row = await s.row(s.server.id)
  assert.deepEqual([row.host, row.vm_state], [host, 'active'])
  assert.match(row.fault!.message, /No valid host was found/)
})
