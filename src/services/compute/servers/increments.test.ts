/** Stories of backups that store only what changed since the one before. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { systemClock, virtualClock } from '#kernel/clock.ts'
import { createCtx, systemIdentity } from '#kernel/context.ts'
import { emptyQcow2 } from '../drivers/fake-disk.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

interface Shown {
  id: string
  name: string
  status: string
  disk_format: string
  size: number
  os_glance_base_image_id?: string
}

async function stage(clock = systemClock()) {
  const cloud = await serverCloud({ hosts: ['h1'], world: await newWorld(clock) })
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const image = <T = Shown>(method: string, path: string) =>
    cloud.request<T>(method, `/image/v2/images${path}`, { token: demo.token })
  const driver = () => cloud.drivers.h1!
  return {
    cloud,
    demo,
    server,
    image,
    driver,
    write: (text: string) => driver().write(server.id, 'root', text),
    act: async (body: unknown) => {
      const answer = await cloud.api(demo, 'POST', `/servers/${server.id}/action`, body)
      await cloud.env.sagas.idle()
      return answer
    },
    async backup(name: string, rotation = 3): Promise<Shown> {
      const body = { createBackup: { name, backup_type: 'incremental', rotation } }
      const asked = await cloud.api<{ image_id: string }>(demo, 'POST', `/servers/${server.id}/action`, body)
      assert.equal(asked.status, 202)
      await cloud.env.sagas.idle()
      return (await image('GET', `/${asked.body.image_id}`)).body
    },
    /** Of all images that are no test's own, oldest first. */
    async names() {
      const { body } = await image<{ images: Shown[] }>('GET', '?sort=created_at:asc')
      return body.images.filter(each => each.id !== tiny).map(each => each.name)
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('the second backup holds what changed since the first, and a server is made of both', async () => {
  await using s = await stage()
  s.write('before')
  const first = await s.backup('first')
  assert.deepEqual([first.status, first.disk_format, first.os_glance_base_image_id], ['active', 'qcow2', undefined])
  s.write('changed')
  const second = await s.backup('second')
  assert.deepEqual([second.status, second.os_glance_base_image_id], ['active', first.id])
  assert.ok(second.size < first.size)
  assert.equal((await s.image('DELETE', `/${first.id}`)).status, 409)
  assert.equal((await s.image('GET', `/${second.id}/file`)).status, 409)

  const restored = await s.cloud.boot(s.demo, { imageRef: second.id })
  const [disk] = s.driver().guests.get(restored.id)!.spec.disks
  assert.ok(disk?.source.type === 'image')
  const stored = disk.source.image.bases?.map(({ id, size }) => ({ id, size }))
  assert.deepEqual(stored, [{ id: first.id, size: first.size }])
  assert.equal((await s.image('DELETE', `/${second.id}`)).status, 204)
  assert.equal((await s.image('DELETE', `/${first.id}`)).status, 204)
})

test('of the kind the newest are kept, and what they stand on; no chain is longer than that', async () => {
  await using s = await stage()
  const bases = []
  for (const name of ['1', '2', '3', '4']) bases.push((await s.backup(name)).os_glance_base_image_id !== undefined)
  assert.deepEqual(bases, [false, true, true, false])
  assert.deepEqual(await s.names(), ['1', '2', '3', '4'], '2 and 3 stand on 1')
  await s.backup('5')
  assert.deepEqual(await s.names(), ['1', '2', '3', '4', '5'], '3 stands on 2 and 1')
  await s.backup('6')
  assert.deepEqual(await s.names(), ['4', '5', '6'])
  await s.backup('7', 1)
  assert.deepEqual(await s.names(), ['7'], 'one alone is always whole')
})

test('a chain ends at a length that hosts can open, however many backups are kept', async () => {
  await using s = await stage()
  const { image } = s.cloud.env.services
  const identity = { ...systemIdentity, project_id: s.demo.id }
  const ctx = createCtx(s.cloud.env, { requestId: 'req-old', identity })
  const properties = { instance_uuid: s.server.id, image_type: 'backup', backup_type: 'incremental' }
  const made = {
    name: 'old',
    disk_format: 'qcow2',
    container_format: 'bare',
    visibility: 'private',
    properties,
  } as const
  let last: string | undefined
  for (let length = 1; length <= 31; length++) {
    const { id } = await image.create(ctx, made)
    await image.upload(ctx, id, Readable.from([emptyQcow2(1024 ** 3)]), last)
    last = id
    await s.cloud.env.clock.sleep(2)
  }
  s.driver().guests.get(s.server.id)!.disks.root!.counted = { [last!]: 0 }
  const longest = await s.backup('longest', 50)
  assert.equal(longest.os_glance_base_image_id, last)
  assert.equal((await s.backup('next', 50)).os_glance_base_image_id, undefined)
})

test('a backup that stays alone, of another kind, or of a disk that was made anew, is whole', async () => {
  await using s = await stage()
  await s.backup('first')
  await s.act({ createBackup: { name: 'daily', backup_type: 'daily', rotation: 2 } })
  assert.notEqual((await s.backup('second')).os_glance_base_image_id, undefined, 'others do not disturb')
  await s.act({ rebuild: { imageRef: tiny } })
  assert.equal((await s.backup('rebuilt')).os_glance_base_image_id, undefined)
  assert.notEqual((await s.backup('after')).os_glance_base_image_id, undefined)
  await s.act({ resize: { flavorRef: '2' } })
  await s.act({ confirmResize: null })
  assert.equal((await s.backup('resized')).os_glance_base_image_id, undefined)
})

test('a backup that fails costs no change: the next one holds them all', async () => {
  await using s = await stage()
  const first = await s.backup('first')
  s.write('one')
  s.driver().inject({ method: 'backup', error: 'the job failed', afterwards: true })
  await s.act({ createBackup: { name: 'fails', backup_type: 'incremental', rotation: 3 } })
  assert.deepEqual(await s.names(), ['first'])
  s.write('two')
  const second = await s.backup('second')
  assert.equal(second.os_glance_base_image_id, first.id)
  // A cluster for each of the pieces beside those of an empty disk.
  assert.equal(second.size, (4 + 2) * 65_536)
})

test('a backup whose base is deleted while it is copied is made again, whole', async () => {
  const clock = virtualClock()
  await using s = await stage(clock)
  const first = await s.backup('first')
  const begun = Promise.withResolvers<void>()
  s.driver().inject({ method: 'backup', delayMs: 60_000, hit: begun.resolve })
  const body = { createBackup: { name: 'second', backup_type: 'incremental', rotation: 3 } }
  const asked = await s.cloud.api<{ image_id: string }>(s.demo, 'POST', `/servers/${s.server.id}/action`, body)
  await begun.promise
  assert.equal((await s.image('DELETE', `/${first.id}`)).status, 204)
  await clock.advance(60_000)
  await s.cloud.env.sagas.idle()
  const { body: second } = await s.image('GET', `/${asked.body.image_id}`)
  assert.deepEqual([second.status, second.os_glance_base_image_id], ['active', undefined])
})
