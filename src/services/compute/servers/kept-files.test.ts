/** Stories of deleted servers whose files stay on their hosts for a while. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { beginning } from '#kernel/events/events.ts'
import type { ProbePoint, SagaProbe } from '#kernel/saga/run.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { keptKey } from '../drivers/fake-kept.ts'
import { type ServerCloudOptions, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

interface Kept {
  server_id: string
  name: string
  project_id: string
  until: string
}

const days = (count: number) => `compute.deleted_files.days=${count}`

async function stage(options: ServerCloudOptions = {}) {
  const cloud = await serverCloud({ set: [days(3)], ...options })
  const [admin, demo] = [await cloud.admin(), await cloud.project('p1')]
  return Object.assign(cloud, {
    administrator: admin,
    demo,
    async kept(): Promise<Kept[]> {
      return (await cloud.api<{ kept_files: Kept[] }>(admin, 'GET', '/os-kept-files?host=h1')).body.kept_files
    },
  })
}

onEachEngine('the files of a deleted server stay on its host, and come back as an image', async database => {
  await using s = await stage({ world: await newWorld(undefined, database) })
  const server = await s.boot(s.demo, { name: 'db' })
  await s.remove(s.demo, server.id)
  const [kept, ...others] = await s.kept()
  assert.deepEqual([kept?.server_id, kept?.name, kept?.project_id, others], [server.id, 'db', s.demo.id, []])
  assert.ok(Math.abs(Date.parse(kept!.until) - s.env.clock.now() - 3 * 86_400_000) < 60_000)
  assert.deepEqual(s.guestHosts(server.id), [], 'nothing starts it')
  const { servers, ports, allocations } = await s.held()
  assert.deepEqual([servers, ports, allocations], [0, 0, 0])

  const path = `/os-kept-files/${server.id}`
  const asked = await s.api<{ image_id: string }>(s.administrator, 'POST', `${path}/image`, { image: { name: 'back' } })
  assert.equal(asked.status, 202)
  await s.env.sagas.idle()
  const { token } = s.demo
  const image = await s.request<Record<string, unknown>>('GET', `/image/v2/images/${asked.body.image_id}`, { token })
  const { name, status, owner, instance_uuid } = image.body
  assert.deepEqual([name, status, owner, instance_uuid], ['back', 'active', s.demo.id, server.id])
  const again = await s.boot(s.demo, { imageRef: asked.body.image_id })
  assert.equal(again.status, 'ACTIVE')

  const nowhere = { image: { project_id: 'nowhere' } }
  const refused = await s.api<{ badRequest: { message: string } }>(s.administrator, 'POST', `${path}/image`, nowhere)
  assert.equal(refused.body.badRequest.message, 'Project ID nowhere is not a valid project.')

  for (const [method, path2, body] of [
    ['GET', '/os-kept-files?host=h1'],
    ['POST', `${path}/image`, { image: {} }],
    ['DELETE', path],
  ] as const)
    assert.equal((await s.api(s.demo, method, path2, body)).status, 403, `${method} ${path2}`)
  assert.equal((await s.api(s.administrator, 'DELETE', path)).status, 204)
  assert.deepEqual(await s.kept(), [])
  assert.equal((await s.api(s.administrator, 'DELETE', path)).status, 404)
  assert.equal((await s.api(s.administrator, 'GET', '/os-kept-files?host=h9')).status, 404)
})

test('a disk that cannot be read leaves no image behind, and is told of; the files stay', async () => {
  await using s = await stage()
  const server = await s.boot(s.demo)
  await s.remove(s.demo, server.id)
  s.drivers.h1!.inject({ method: 'snapshotKept', error: 'the disk is broken' })
  await s.api(s.administrator, 'POST', `/os-kept-files/${server.id}/image`, { image: {} })
  await s.env.sagas.idle()
  const { token } = s.demo
  const { body } = await s.request<{ images: { id: string }[] }>('GET', '/image/v2/images', { token })
  assert.deepEqual(
    body.images.map(image => image.id),
    [tiny],
  )
  assert.equal((await s.kept()).length, 1)
  const told = (await s.env.events.since(s.ctx(), beginning, { limit: 1000 })).find(
    ({ type }) => type === 'compute.exception',
  )
  assert.equal(told?.payload.subject, server.id)
})

test('files go when their time is over, and the oldest before it when the disk is short', async () => {
  const clock = virtualClock()
  await using s = await stage({
    world: await newWorld(clock),
    set: [days(3), 'compute.deleted_files.keep_free_percent=98'],
  })
  // A fiftieth of the disk of 2,000 GB is 40.
  const flavor = { id: 'wide', name: 'wide', ram: 64, vcpus: 1, disk: 15 }
  await s.api(s.administrator, 'POST', '/flavors', { flavor })
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    const { id } = await s.boot(s.demo, { flavorRef: 'wide' })
    await s.remove(s.demo, id)
    ids.push(id)
    await clock.advance(1000)
  }
  assert.deepEqual(
    (await s.kept()).map(one => one.server_id),
    ids,
  )
  await clock.advance(60_000)
  assert.deepEqual(
    (await s.kept()).map(one => one.server_id),
    ids.slice(1),
    'the oldest has gone, and no more than that',
  )
  // Three days later.
  for (const id of ids.slice(1)) s.world.guests.h1!.get(keptKey(id))!.kept!.until = new Date(clock.now()).toISOString()
  await clock.advance(60_000)
  assert.deepEqual(await s.kept(), [])
})

test('without the setting, of an encrypted server, and of one that never ran nothing stays', async () => {
  await using s = await stage({ set: [] })
  const server = await s.boot(s.demo)
  await s.remove(s.demo, server.id)
  assert.deepEqual(await s.kept(), [])
  await using keeping = await stage()
  keeping.drivers.h1!.inject({ method: 'spawn', error: 'no' })
  const failed = await keeping.boot(keeping.demo)
  await keeping.remove(keeping.demo, failed.id)
  assert.deepEqual(await keeping.kept(), [])
  assert.equal(keeping.world.guests.h1!.has(keptKey(failed.id)), false)
})

test('a kill at every step of such an image is taken up by the next process', async () => {
  const world = await newWorld()
  let probe: SagaProbe = () => {}
  const boot = () => stage({ world, sagaProbe: point => probe(point) })
  const isOurs = ({ saga }: ProbePoint) => saga === 'compute.kept_files.image'
  const places: ProbePoint[] = []
  let s = await boot()
  const server = await s.boot(s.demo)
  await s.remove(s.demo, server.id)
  const ask = () =>
    s.api<{ image_id: string }>(s.administrator, 'POST', `/os-kept-files/${server.id}/image`, { image: {} })
  probe = point => void (isOurs(point) && places.push(point))
  await ask()
  await s.env.sagas.idle()
  assert.ok(places.length >= 3, `${places.length} places`)
  for (const { step, at } of places) {
    const reached = Promise.withResolvers<void>()
    probe = point => {
      if (!isOurs(point) || point.step !== step || point.at !== at) return
      reached.resolve()
      return new Promise<never>(() => {})
    }
    const { image_id } = (await ask()).body
    await reached.promise
    await s.kill()
    probe = () => {}
    s = await boot()
    await s.begin()
    await s.env.sagas.idle()
    const { token } = s.demo
    const { body } = await s.request<{ status: string }>('GET', `/image/v2/images/${image_id}`, { token })
    assert.equal(body.status, 'active', `${at} ${step}`)
    assert.equal((await s.kept()).length, 1)
  }
  await s[Symbol.asyncDispose]()
})
