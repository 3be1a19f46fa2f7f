/** Stories of the shelf: servers that keep their id, addresses and disk while they use no host. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../fixtures/server-cloud.ts'
import { tiny } from '../fixtures/world.ts'
import { shelvedOffloads } from './shelve.ts'

async function stage(set: string[] = []) {
  const cloud = await serverCloud({ hosts: ['h1', 'h2'], set })
  const demo = await cloud.project('p1')
  const admin = await cloud.admin()
  const server = await cloud.boot(demo)
  return {
    cloud,
    demo,
    admin,
    server,
    act: <T = { badRequest?: { message: string }; conflictingRequest?: { message: string } }>(
      body: unknown,
      version = 'latest',
      who = demo,
    ) => cloud.api<T>(who, 'POST', `/servers/${server.id}/action`, body, version),
    images: async () =>
      (
        await cloud.request<{ images: { id: string; name: string; status: string }[] }>('GET', '/image/v2/images', {
          token: demo.token,
        })
      ).body.images.filter(image => image.id !== tiny),
    async settled() {
      await cloud.env.sagas.idle()
      return cloud.show(admin, server.id)
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('a shelved server leaves its host with an image of its disk, and comes back with its addresses', async () => {
  await using s = await stage()
  assert.equal((await s.act({ shelve: null })).status, 202)
  const shelved = await s.settled()
  assert.deepEqual([shelved.status, shelved['OS-EXT-SRV-ATTR:host']], ['SHELVED_OFFLOADED', null])
  const [image] = await s.images()
  assert.deepEqual([image?.name, image?.status], ['vm-shelved', 'active'])
  assert.deepEqual([s.cloud.guestHosts(s.server.id), await s.cloud.allocated(s.server.id)], [[], {}])
  assert.equal((await s.act({ 'os-start': null })).status, 409)
  assert.equal((await s.act({ unshelve: null })).status, 202)
  const back = await s.settled()
  assert.deepEqual([back.status, back.addresses], ['ACTIVE', s.server.addresses])
  const host = back['OS-EXT-SRV-ATTR:host']
  assert.deepEqual(s.cloud.drivers[host]!.guests.get(s.server.id)?.disks.root?.contents, [image!.id])
  assert.deepEqual(await s.images(), [], 'the image has served its purpose')
  assert.equal(back.image.id, tiny)
})

test('with time to wait a shelved server stays on its host, where it comes back at once', async () => {
  await using s = await stage(['compute.shelved_offload_seconds=60'])
  await s.act({ shelve: null })
  const shelved = await s.settled()
  assert.equal(shelved.status, 'SHELVED')
  const host = shelved['OS-EXT-SRV-ATTR:host']
  await s.cloud.reconcile(shelvedOffloads.id)
  const refused = await s.act({ unshelve: { availability_zone: 'nova' } }, '2.77')
  assert.equal(refused.status, 409)
  assert.match(refused.body.conflictingRequest!.message, /must be SHELVED_OFFLOADED/)
  await s.act({ unshelve: null })
  const back = await s.settled()
  assert.deepEqual([back.status, back['OS-EXT-SRV-ATTR:host']], ['ACTIVE', host])
  assert.deepEqual(s.cloud.drivers[host]!.guests.get(s.server.id)?.disks.root?.contents, [tiny])
  assert.deepEqual(await s.images(), [])
})

for (const [action, status, back] of [
  ['suspend', 'SUSPENDED', 'resume'],
  ['pause', 'PAUSED', 'unpause'],
] as const)
  test(`a server that its host fails to stop is not shelved, and is ${status} as before`, async () => {
    await using s = await stage()
    await s.act({ [action]: null })
    const { 'OS-EXT-SRV-ATTR:host': host } = await s.settled()
    s.cloud.drivers[host]!.inject({ method: 'stop', error: 'No space left on device.' })
    await s.act({ shelve: null })
    assert.equal((await s.settled()).status, status)
    await s.act({ [back]: null })
    assert.equal((await s.settled()).status, 'ACTIVE')
    assert.deepEqual(await s.images(), [])
  })

test('a server that was stopped for the shelf runs again when its disk cannot be stored', async () => {
  await using s = await stage()
  await s.act({ suspend: null })
  const { 'OS-EXT-SRV-ATTR:host': host } = await s.settled()
  s.cloud.drivers[host]!.inject({ method: 'snapshot', error: 'No space left on device.' })
  await s.act({ shelve: null })
  assert.equal((await s.settled()).status, 'ACTIVE')
})

test('an admin takes a shelved server off its host, and so does time', async () => {
  await using s = await stage(['compute.shelved_offload_seconds=-1'])
  assert.equal((await s.act({ shelveOffload: null }, 'latest', s.admin)).status, 409)
  await s.act({ shelve: null })
  await s.settled()
  assert.equal((await s.act({ shelveOffload: null })).status, 403)
  assert.equal((await s.act({ shelveOffload: null }, 'latest', s.admin)).status, 202)
  assert.equal((await s.settled()).status, 'SHELVED_OFFLOADED')
})

test('a server comes back to the zone or host that is asked for', async () => {
  await using s = await stage()
  await s.act({ shelve: null })
  await s.settled()
  assert.equal((await s.act({ unshelve: {} }, '2.77')).status, 400)
  assert.equal((await s.act({ unshelve: { availability_zone: 'nowhere' } }, '2.77')).status, 400)
  assert.equal((await s.act({ unshelve: { host: 'h2' } })).status, 403)
  const unknown = await s.act({ unshelve: { host: 'h9' } }, 'latest', s.admin)
  assert.deepEqual([unknown.status, unknown.body.badRequest?.message], [400, 'Compute host h9 could not be found.'])
  assert.equal((await s.act({ unshelve: { host: 'h2', availability_zone: 'nova' } }, 'latest', s.admin)).status, 202)
  const back = await s.settled()
  assert.deepEqual([back.status, back['OS-EXT-SRV-ATTR:host'], back.pinned_availability_zone], ['ACTIVE', 'h2', 'nova'])
})

test('a shelved server that no host can take stays on the shelf', async () => {
  await using s = await stage()
  await s.act({ shelve: null })
  await s.settled()
  for (const host of ['h1', 'h2']) s.cloud.drivers[host]!.inject({ method: 'spawn', error: 'no space' })
  await s.act({ unshelve: null })
  const now = await s.settled()
  assert.deepEqual([now.status, await s.cloud.allocated(s.server.id)], ['SHELVED_OFFLOADED', {}])
  assert.equal((await s.images()).length, 1)
})

test('a shelved server that is deleted takes its image with it', async () => {
  await using s = await stage()
  await s.act({ shelve: null })
  await s.settled()
  await s.cloud.remove(s.demo, s.server.id)
  assert.deepEqual(await s.images(), [])
})

test('a host that others need lets go of what was shelved first, and of no more than that', async () => {
  await using cloud = await serverCloud({
    vcpus: 1,
    set: ['compute.shelved_offload_seconds=-1', 'compute.shelved_keep_free_percent=40'],
  })
  const demo = await cloud.project('p1')
  const ids: string[] = []
  for (let n = 0; n < 3; n++) ids.push((await cloud.boot(demo)).id)
  const statuses = () => Promise.all(ids.map(async id => (await cloud.show(demo, id)).status))
  const shelveOne = async (id: string) => {
    await cloud.api(demo, 'POST', `/servers/${id}/action`, { shelve: null })
    await cloud.env.sagas.idle()
  }
  await shelveOne(ids[1]!)
  await shelveOne(ids[0]!)
  assert.deepEqual(await statuses(), ['SHELVED', 'SHELVED', 'ACTIVE'])
  for (let turn = 0; turn < 2; turn++) {
    await cloud.reconcile(shelvedOffloads.id)
    await cloud.env.sagas.idle()
    assert.deepEqual(await statuses(), ['SHELVED', 'SHELVED_OFFLOADED', 'ACTIVE'], 'half of the host is free')
  }
  assert.deepEqual([cloud.guestHosts(ids[0]!), cloud.guestHosts(ids[1]!)], [['h1'], []])
})
