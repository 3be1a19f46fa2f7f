import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginning } from '#kernel/events/events.ts'
import type { ProbePoint, SagaProbe } from '#kernel/saga/run.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld, tiny } from '../servers/fixtures/world.ts'

test('the hosts of an aggregate fetch images ahead, and a host that is down is skipped', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2', 'h3'] })
  const admin = await cloud.admin()
  const made = await cloud.api<{ aggregate: { id: number } }>(admin, 'POST', '/os-aggregates', {
    aggregate: { name: 'edge' },
  })
  const path = `/os-aggregates/${made.body.aggregate.id}`
  for (const host of ['h1', 'h2']) await cloud.api(admin, 'POST', `${path}/action`, { add_host: { host } })
  const services = await cloud.api<{ services: { id: string; host: string }[] }>(admin, 'GET', '/os-services')
  const second = services.body.services.find(one => one.host === 'h2')!
  await cloud.api(admin, 'PUT', `/os-services/${second.id}`, { forced_down: true })

  const unknown = '00000000-0000-4000-8000-000000000001'
  const ask = (ids: string[], version?: string, who = admin) =>
    cloud.api(who, 'POST', `${path}/images`, { cache: ids.map(id => ({ id })) }, version)
  assert.equal((await ask([tiny, unknown])).status, 202)
  await cloud.env.sagas.idle()
  const events = await cloud.env.events.since(cloud.ctx(), beginning, { limit: 1000 })
  const told = events.filter(event => event.type === 'aggregate.cache_images.progress')
  assert.deepEqual(
    told.map(({ payload }) => [payload.host, payload.images]),
    [
      ['h1', { [tiny]: 'cached', [unknown]: 'error' }],
      ['h2', { [tiny]: 'skipped', [unknown]: 'skipped' }],
    ],
  )
  assert.ok(events.some(event => event.type === 'aggregate.cache_images.end'))
  const [image] = [...(await cloud.env.services.image.many(cloud.ctx(), [tiny])).values()]
  const spec = { id: tiny, size: image!.size!, disk_format: 'qcow2' as const, properties: {} }
  const hash = { hash_algo: image!.os_hash_algo!, hash_value: image!.os_hash_value! }
  assert.equal(await cloud.drivers.h1!.cacheImage({ ...spec, ...hash }), 'existing')
  assert.equal(await cloud.drivers.h3!.cacheImage({ ...spec, ...hash }), 'cached')

  assert.equal((await ask([tiny, tiny])).status, 400)
  assert.equal((await ask(['x'])).status, 400)
  assert.equal((await ask([tiny], '2.80')).status, 404)
  assert.equal((await ask([tiny], 'latest', await cloud.project('p1'))).status, 403)
  const nobody = await cloud.api(admin, 'POST', '/os-aggregates/99/images', { cache: [{ id: tiny }] })
  assert.equal(nobody.status, 404)
})

test('a kill at every step is taken up by the next process: each host is told of once', async () => {
  const world = await newWorld()
  let probe: SagaProbe = () => {}
  const boot = () => serverCloud({ world, hosts: ['h1', 'h2'], sagaProbe: point => probe(point) })
  let cloud = await boot()
  const admin = await cloud.admin()
  const aggregate = { aggregate: { name: 'edge' } }
  const made = await cloud.api<{ aggregate: { id: number } }>(admin, 'POST', '/os-aggregates', aggregate)
  const path = `/os-aggregates/${made.body.aggregate.id}`
  for (const host of ['h1', 'h2']) await cloud.api(admin, 'POST', `${path}/action`, { add_host: { host } })
  const ask = () => cloud.api(admin, 'POST', `${path}/images`, { cache: [{ id: tiny }] })
  const toldOf = async () => {
    const events = await cloud.env.events.since(cloud.ctx(), beginning, { limit: 10_000 })
    return events
      .filter(({ type }) => type.startsWith('aggregate.cache_images.'))
      .map(({ type }) => type.split('.').at(-1))
  }
  const isOurs = ({ saga }: ProbePoint) => saga === 'compute.aggregates.cache_images'
  const places: ProbePoint[] = []
  probe = point => void (isOurs(point) && places.push(point))
  await ask()
  await cloud.env.sagas.idle()
  assert.ok(places.length >= 6, `${places.length} places`)
  for (const { step, at } of places) {
    const before = (await toldOf()).length
    const reached = Promise.withResolvers<void>()
    probe = point => {
      if (!isOurs(point) || point.step !== step || point.at !== at) return
      reached.resolve()
      return new Promise<never>(() => {})
    }
    await ask()
    await reached.promise
    await cloud.kill()
    probe = () => {}
    cloud = await boot()
    await cloud.begin()
    await cloud.env.sagas.idle()
    assert.deepEqual((await toldOf()).slice(before), ['start', 'progress', 'progress', 'end'], `killed ${at} ${step}`)
  }
  await cloud[Symbol.asyncDispose]()
})
