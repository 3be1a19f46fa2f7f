/** Stories of servers that are deleted, and of the images that stay of them for a while. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { expiredDisks } from './deleted-disks.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

interface Image {
  id: string
  name: string
  status: string
  owner: string
  expires_at: string
  instance_uuid: string
}

async function stage(set: string[]) {
  const clock = virtualClock()
  const cloud = await serverCloud({ world: await newWorld(clock), set })
  const demo = await cloud.project('p1')
  return Object.assign(cloud, {
    clock,
    demo,
    async images(who = demo): Promise<Image[]> {
      const { token } = who
      const { body } = await cloud.request<{ images: Image[] }>('GET', '/image/v2/images', { token })
      return body.images.filter(image => image.id !== tiny)
    },
  })
}

const minute = 60_000
const hour = 60 * minute

test('the disk of a server that asks for it stays as an image of its project until its time is over', async () => {
  await using s = await stage(['compute.deleted_disks.hours=1'])
  const flagged = await s.boot(s.demo, { name: 'db', metadata: { backup_on_delete: 'true' } })
  const plain = await s.boot(s.demo)
  await s.remove(s.demo, plain.id)
  assert.deepEqual(await s.images(), [])
  // Whoever deletes it, it is its owner's.
  await s.remove(await s.admin(), flagged.id)
  const [image] = await s.images()
  assert.deepEqual([image?.name, image?.status, image?.owner], ['db-deleted', 'active', s.demo.id])
  assert.equal(image?.instance_uuid, flagged.id)
  assert.ok(Math.abs(Date.parse(image!.expires_at) - s.clock.now() - hour) < minute)
  await s.removeHost('h1')
  await s.clock.advance(50 * minute)
  await s.reconcile(expiredDisks.id)
  assert.equal((await s.images()).length, 1)
  await s.clock.advance(15 * minute)
  await s.reconcile(expiredDisks.id)
  assert.deepEqual(await s.images(), [])
})

test('where the operator keeps all, a server may say no; a disk that cannot be had stops no deletion', async () => {
  await using s = await stage(['compute.deleted_disks.hours=1', 'compute.deleted_disks.always=true'])
  const kept = await s.boot(s.demo, { name: 'kept' })
  const refusing = await s.boot(s.demo, { metadata: { backup_on_delete: 'false' } })
  const broken = await s.boot(s.demo)
  for (const { id } of [kept, refusing]) await s.remove(s.demo, id)
  s.drivers.h1!.inject({ method: 'snapshot', error: 'the disk is broken' })
  await s.remove(s.demo, broken.id)
  assert.deepEqual(
    (await s.images()).map(image => image.name),
    ['kept-deleted'],
  )
  const { servers, guests } = await s.held()
  assert.deepEqual([servers, guests], [0, 0])
})

test('a host that does not answer holds up no deletion, and nothing is kept', async () => {
  await using s = await stage(['compute.deleted_disks.hours=1', 'compute.deleted_disks.always=true'])
  const { id } = await s.boot(s.demo)
  await s.removeHost('h1')
  s.env.bus.serve('host.h1.compute', () => new Promise(() => {}))
  assert.equal((await s.api(s.demo, 'DELETE', `/servers/${id}`)).status, 204)
  await s.clock.advance(10 * minute)
  assert.equal((await s.api(s.demo, 'GET', `/servers/${id}`)).status, 404)
  assert.deepEqual(await s.images(), [])
})
