/** Stories of servers whose deletion is deferred: they can be restored for a while, and use no quota meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { powerStates } from '../drivers/driver.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld } from './fixtures/world.ts'

async function stage(set: string[] = []) {
  const clock = virtualClock()
  const settings = ['compute.reclaim_instance_seconds=3600', ...set]
  const cloud = await serverCloud({ world: await newWorld(clock), set: settings })
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const path = `/servers/${server.id}`
  return {
    cloud,
    clock,
    demo,
    server,
    power: () => cloud.world.guests.h1!.get(server.id)?.power_state,
    async act(body: Record<string, unknown>, id = server.id) {
      const { status } = await cloud.api(demo, 'POST', `/servers/${id}/action`, body)
      await cloud.env.sagas.idle()
      return status
    },
    async remove() {
      const { status } = await cloud.api(demo, 'DELETE', path)
      await cloud.env.sagas.idle()
      return status
    },
    async ids(query = '') {
      const { body } = await cloud.api<{ servers: { id: string }[] }>(demo, 'GET', `/servers${query}`)
      return body.servers.map(each => each.id)
    },
    status: async () => (await cloud.show(demo, server.id)).status,
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('a deleted server is switched off, keeps what it has, and comes back running', async () => {
  await using s = await stage()
  const before = await s.cloud.held()
  assert.equal(await s.remove(), 204)
  assert.deepEqual([await s.status(), s.power()], ['SOFT_DELETED', powerStates.shutdown])
  assert.deepEqual(await s.cloud.held(), before)
  assert.equal(await s.act({ 'os-start': null }), 409)
  assert.equal(await s.remove(), 204, 'once more changes nothing')
  assert.equal(await s.act({ restore: null }), 202)
  assert.deepEqual([await s.status(), s.power()], ['ACTIVE', powerStates.running])
  assert.equal((await s.cloud.row(s.server.id)).recovery, null)
  assert.equal(await s.act({ restore: null }), 409)
})

test('lists leave it out, but those that ask for its status', async () => {
  await using s = await stage()
  assert.equal(await s.remove(), 204)
  assert.deepEqual(await s.ids(), [])
  assert.deepEqual(await s.ids('?status=SOFT_DELETED'), [s.server.id])
})

test('a suspended server comes back suspended', async () => {
  await using s = await stage()
  await s.act({ suspend: null })
  await s.remove()
  assert.deepEqual([await s.status(), s.power()], ['SOFT_DELETED', powerStates.suspended])
  await s.act({ restore: null })
  assert.deepEqual([await s.status(), s.power()], ['SUSPENDED', powerStates.suspended])
})

test('it uses no quota; a restore that finds none left is refused', async () => {
  await using s = await stage(['compute.quota.instances=1'])
  await s.remove()
  const other = await s.cloud.boot(s.demo)
  assert.equal(await s.act({ restore: null }), 403)
  assert.equal(await s.status(), 'SOFT_DELETED')
  assert.equal(await s.act({ forceDelete: null }, other.id), 202)
  assert.equal(await s.act({ restore: null }), 202)
  assert.equal(await s.status(), 'ACTIVE')
})

test('when its time is over it is deleted for good, with all that it had', async () => {
  await using s = await stage()
  await s.remove()
  await s.clock.advance(3_500_000)
  await s.cloud.reconcile('compute.reclaims')
  assert.equal(await s.status(), 'SOFT_DELETED')
  await s.clock.advance(200_000)
  await s.cloud.reconcile('compute.reclaims')
  await s.cloud.env.sagas.idle()
  assert.deepEqual(await s.cloud.held(), nothingHeld)
})

test('a forced delete does not wait, and a server that was never built is not kept', async () => {
  await using s = await stage()
  await s.remove()
  assert.equal(await s.act({ forceDelete: null }), 202)
  s.cloud.drivers.h1!.inject({ method: 'spawn', error: 'no' })
  const failed = await s.cloud.boot(s.demo)
  assert.equal(failed.status, 'ERROR')
  await s.cloud.remove(s.demo, failed.id)
  assert.deepEqual(await s.cloud.held(), nothingHeld)
})

test('a server that is busy with itself is kept as it was before', async () => {
  await using s = await stage()
  const begun = Promise.withResolvers<void>()
  s.cloud.drivers.h1!.inject({ method: 'pause', delayMs: 60_000, hit: begun.resolve })
  await s.cloud.api(s.demo, 'POST', `/servers/${s.server.id}/action`, { pause: null })
  await begun.promise
  const removed = s.remove()
  await s.clock.advance(60_000)
  assert.equal(await removed, 204)
  assert.equal(await s.status(), 'SOFT_DELETED')
  await s.act({ restore: null })
  assert.deepEqual([await s.status(), s.power()], ['ACTIVE', powerStates.running])
})

test('a resized server that is deleted for a while is confirmed first, and comes back with its new flavor', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], set: ['compute.reclaim_instance_seconds=3600'] })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const act = async (body: unknown) => {
    assert.ok((await cloud.api(demo, 'POST', `/servers/${id}/action`, body)).status < 300, JSON.stringify(body))
    await cloud.env.sagas.idle()
  }
  await act({ resize: { flavorRef: '84' } })
  await cloud.remove(demo, id)
  const admin = await cloud.admin()
  assert.equal((await cloud.show(admin, id)).status, 'SOFT_DELETED')
  assert.deepEqual([await cloud.openMoves(id), cloud.asides(id), cloud.guestHosts(id).length], [[], [], 1])
  await act({ restore: null })
  const back = await cloud.show(demo, id)
  assert.deepEqual([back.status, back.flavor.original_name], ['ACTIVE', 'm1.micro'])
  assert.deepEqual(Object.keys(await cloud.allocated(id)), [back['OS-EXT-SRV-ATTR:host'] ?? (await cloud.row(id)).host])
})
