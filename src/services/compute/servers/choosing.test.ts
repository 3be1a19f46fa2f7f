/** Who gets which host: aggregates, hints and load decide, and refusals say why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { aggregate, filters, hostsOf } from './fixtures/choosing.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'

const hosts = ['h1', 'h2', 'h3', 'h4']

test('one pool is packed while another is spread', async () => {
  const set = [
    filters('AggregateTypeAffinityFilter'),
    'compute.scheduler.cpu_weight=0',
    'compute.scheduler.disk_weight=0',
  ]
  await using cloud = await serverCloud({ hosts, set })
  await aggregate(cloud, 'packed', ['h1', 'h2'], { ram_weight_multiplier: '-1' })
  await aggregate(cloud, 'spread', ['h3', 'h4'], { instance_type: 'no such flavor' })
  const demo = await cloud.project('demo-1')
  assert.equal(new Set(await hostsOf(cloud, 4, demo)).size, 1)
})

test('hosts of an aggregate for a project take its servers alone', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], set: [filters('AggregateMultiTenancyIsolation')] })
  const [mine, theirs] = [await cloud.project('mine'), await cloud.project('theirs')]
  await aggregate(cloud, 'mine', ['h1'], { filter_tenant_id: mine.id })
  await aggregate(cloud, 'full', ['h2'], { filter_tenant_id: 'nobody' })
  assert.deepEqual(await hostsOf(cloud, 2, mine), ['h1', 'h1'])
  assert.deepEqual(await hostsOf(cloud, 1, theirs), ['none'])
})

test('a host takes as many servers as the configuration says', async () => {
  const set = [filters('NumInstancesFilter'), 'compute.scheduler.max_instances_per_host=1']
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], set })
  const demo = await cloud.project('demo-1')
  assert.deepEqual((await hostsOf(cloud, 3, demo)).sort(), ['h1', 'h2', 'none'])
})

test('of servers that do not fit together none is made, and the fault says what was lacking', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], vcpus: 1 })
  const demo = await cloud.project('demo-1')
  const id = await cloud.ask(demo, { min_count: 9 })
  await cloud.env.sagas.idle()
  const { status, fault } = await cloud.show(demo, id)
  assert.equal(status, 'ERROR')
  assert.match(fault!.message, /2 refused by VCPU/)
  assert.equal((await cloud.held()).allocations, 0)
})

test('a daemon tells of a failing host: new servers avoid it as long as that is news', async () => {
  const clock = virtualClock()
  const world = await newWorld(clock)
  const set = ['compute.scheduler.wanted_signals=raid s!= degraded']
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], world, set })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  const tell = async (host: string, signals: object) =>
    (await cloud.api(admin, 'PUT', `/os-host-signals/${host}`, { signals })).status
  assert.equal(await tell('h9', { raid: 'degraded' }), 404)
  assert.equal((await cloud.api(demo, 'PUT', '/os-host-signals/h1', { signals: { raid: 'fine' } })).status, 403)
  assert.equal(await tell('h1', { raid: 'degraded', temperature: 41.5 }), 204)
  assert.deepEqual(new Set(await hostsOf(cloud, 3, demo)), new Set(['h2']))
  const shown = await cloud.api<{ host_signals: { host: string; signals: Record<string, { value: unknown }> }[] }>(
    admin,
    'GET',
    '/os-host-signals',
  )
  assert.deepEqual(
    shown.body.host_signals.map(({ host, signals }) => [host, signals.raid?.value, signals.temperature?.value]),
    [['h1', 'degraded', 41.5]],
  )
  assert.equal(await tell('h1', { raid: null }), 204)
  assert.deepEqual(await hostsOf(cloud, 1, demo), ['h1'])
  assert.equal(await tell('h1', { raid: 'degraded' }), 204)
  await clock.advance(301_000)
  assert.deepEqual(await hostsOf(cloud, 1, demo), ['h1'], 'it has most room, and the signal is old')
})

test('users see the hints of the filters that are on, and may ask in JSON', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], set: [filters('JsonFilter')] })
  const demo = await cloud.project('demo-1')
  const shown = await cloud.api<{ scheduler_hints: { name: string }[] }>(demo, 'GET', '/os-scheduler-hints')
  assert.deepEqual(
    shown.body.scheduler_hints.map(hint => hint.name),
    ['group', 'query'],
  )
  assert.deepEqual(await hostsOf(cloud, 2, demo, { query: '["=", "$host", "h2"]' }), ['h2', 'h2'])
  assert.deepEqual(await hostsOf(cloud, 1, demo, { query: ['=', '$host', 'h9'] }), ['none'])
})
