/** Who gets which host: aggregates, hints and load decide, and refusals say why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { aggregate, filters, hostsOf, newFlavor } from './fixtures/choosing.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld } from './fixtures/world.ts'

const hosts = ['h1', 'h2', 'h3', 'h4']

test('a flavor that names what its hosts have goes to the aggregate that says so', async () => {
  await using cloud = await serverCloud({ hosts })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  await aggregate(cloud, 'fast', ['h2'], { ssd: 'true' })
  const flavorRef = await newFlavor(cloud, admin, { 'aggregate_instance_extra_specs:ssd': 'true' })
  assert.deepEqual(await hostsOf(cloud, 3, demo, {}, { flavorRef }), ['h2', 'h2', 'h2'])
})

test('one pool is packed while another is spread', async () => {
  await using cloud = await serverCloud({ hosts: [...hosts, 'h5', 'h6'] })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  await aggregate(cloud, 'spread', hosts, { pool: 'spread' })
  const packing = { ram_weight_multiplier: '-1', cpu_weight_multiplier: '-1', disk_weight_multiplier: '-1' }
  await aggregate(cloud, 'packed', ['h5', 'h6'], { pool: 'packed', ...packing })
  const inPool = async (pool: string) => {
    const flavorRef = await newFlavor(cloud, admin, { 'aggregate_instance_extra_specs:pool': pool })
    return hostsOf(cloud, 4, demo, {}, { flavorRef })
  }
  assert.deepEqual((await inPool('spread')).sort(), hosts)
  const packed = new Set(await inPool('packed'))
  assert.ok(packed.size === 1 && (packed.has('h5') || packed.has('h6')), [...packed].join())
})

test('servers go where their project has some already, and others elsewhere', async () => {
  const set = ['compute.scheduler.collocation_weight=5']
  await using cloud = await serverCloud({ hosts, set })
  const [one, other] = [await cloud.project('demo-1'), await cloud.project('demo-2')]
  const mine = new Set(await hostsOf(cloud, 5, one))
  const theirs = new Set(await hostsOf(cloud, 3, other))
  assert.deepEqual([mine.size, theirs.size, mine.isDisjointFrom(theirs)], [1, 1, true])
})

test('a host where much is being built says so, and the next server goes elsewhere', async () => {
  const building = Promise.withResolvers<void>()
  await using cloud = await serverCloud({
    hosts: ['h1'],
    set: ['compute.scheduler.io_ops_weight=-3', 'compute.quota.instances=30', 'compute.quota.cores=30'],
    sagaProbe: ({ step, at }) => (step === 'spawn on h1' && at === 'before' ? building.promise : undefined),
  })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  await cloud.ask(demo, { min_count: 20 })
  await cloud.addHost('h2')
  const running = async () => {
    const path = '/os-services?running=true'
    const { services } = (await cloud.api<{ services: { host: string; running: number }[] }>(admin, 'GET', path)).body
    return services.map(service => [service.host, service.running])
  }
  assert.deepEqual(await running(), [
    ['h1', 20],
    ['h2', 0],
  ])
  const detail = await cloud.api<{ hypervisors: { current_workload: number }[] }>(
    admin,
    'GET',
    '/os-hypervisors/detail',
    undefined,
    '2.87',
  )
  assert.deepEqual(
    detail.body.hypervisors.map(one => one.current_workload),
    [20, 0],
  )
  const next = await cloud.ask(demo)
  assert.equal((await cloud.row(next)).host, 'h2')
  building.resolve()
  await cloud.env.sagas.idle()
  assert.deepEqual(await running(), [
    ['h1', 0],
    ['h2', 0],
  ])
})

test('a consumable that an operator makes up is counted and given back, and outlives its host’s restart', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'] })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  const placement = async <T>(method: string, path: string, body?: object) => {
    const headers = { 'openstack-api-version': 'placement 1.39' }
    const answer = await cloud.request<T>(method, `/placement${path}`, { token: admin.token, headers, body })
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const providerOf = async (name: string) => {
    const path = `/resource_providers?name=${name}`
    const found = await placement<{ resource_providers: { uuid: string; generation: number }[] }>('GET', path)
    return found.resource_providers[0]!
  }
  const licensed = await providerOf('h1')
  await placement('PUT', '/resource_classes/CUSTOM_LICENSE')
  await placement('POST', `/resource_providers/${licensed.uuid}/inventories`, {
    resource_class: 'CUSTOM_LICENSE',
    total: 100,
  })
  await placement('PUT', '/traits/CUSTOM_LICENSED')
  const path = `/resource_providers/${licensed.uuid}/traits`
  const had = await placement<{ traits: string[]; resource_provider_generation: number }>('GET', path)
  await placement('PUT', path, { ...had, traits: [...had.traits, 'CUSTOM_LICENSED'] })
  await cloud.removeHost('h1')
  await cloud.addHost('h1')

  const flavorRef = await newFlavor(cloud, admin, {
    'resources:CUSTOM_LICENSE': '60',
    'trait:CUSTOM_LICENSED': 'required',
  })
  const first = await cloud.boot(demo, { flavorRef })
  assert.equal((await cloud.row(first.id)).host, 'h1')
  assert.equal((await cloud.allocated(first.id)).h1!.CUSTOM_LICENSE, 60)
  const second = await cloud.boot(demo, { flavorRef })
  assert.match(second.fault.message, /No valid host was found.*refused by CUSTOM_LICENSE/)
  await cloud.remove(demo, first.id)
  assert.equal((await cloud.boot(demo, { flavorRef })).status, 'ACTIVE')
})

test('of servers that want all or nothing none is made when they do not fit, not even one in ERROR', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2', 'h3'], set: ['compute.plans.batch=2'] })
  const demo = await cloud.project('demo-1')
  const server_group = { name: 'apart', policy: 'anti-affinity' }
  const group = await cloud.api<{ server_group: { id: string } }>(demo, 'POST', '/os-server-groups', { server_group })
  const hints = { group: group.body.server_group.id, all_or_nothing: true }
  const four = { server: cloud.newServer({ min_count: 4 }), 'os:scheduler_hints': hints }
  const refused = await cloud.api<{ conflictingRequest: { message: string } }>(demo, 'POST', '/servers', four)
  assert.equal(refused.status, 409)
  assert.match(refused.body.conflictingRequest.message, /3 refused by ServerGroupAntiAffinityFilter/)
  assert.deepEqual(await cloud.held(), nothingHeld)
  await cloud.addHost('h4')
  assert.equal((await cloud.api(demo, 'POST', '/servers', four)).status, 202)
  await cloud.env.sagas.idle()
  const { servers } = (await cloud.api<{ servers: { status: string }[] }>(demo, 'GET', '/servers/detail')).body
  assert.deepEqual(
    servers.map(one => one.status),
    ['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE'],
  )
})

test('what is placed as a whole is bounded, as everybody waits for it', async () => {
  await using cloud = await serverCloud({ set: ['compute.plans.whole=2'] })
  const demo = await cloud.project('demo-1')
  const ask = async (min_count: number, hints = {}) =>
    (await cloud.api(demo, 'POST', '/servers', { server: cloud.newServer({ min_count }), ...hints })).status
  const whole = { 'os:scheduler_hints': { all_or_nothing: true } }
  assert.deepEqual([await ask(3, whole), await ask(2, whole), await ask(3)], [400, 202, 202])
})

test('a moved server still obeys the hint that it was made with', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2', 'h3'] })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  const first = await cloud.boot(demo)
  const hints = { different_host: [first.id] }
  const body = { server: cloud.newServer(), 'os:scheduler_hints': hints }
  const made = await cloud.api<{ server: { id: string } }>(demo, 'POST', '/servers', body)
  await cloud.env.sagas.idle()
  const { id } = made.body.server
  const [shunned, home] = [(await cloud.row(first.id)).host, (await cloud.row(id)).host]
  const live = { 'os-migrateLive': { host: null, block_migration: 'auto' } }
  assert.equal((await cloud.api(admin, 'POST', `/servers/${id}/action`, live)).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(
    [(await cloud.row(id)).host],
    hosts.slice(0, 3).filter(host => host !== shunned && host !== home),
  )
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
    ['group', 'query', 'all_or_nothing'],
  )
  assert.deepEqual(await hostsOf(cloud, 2, demo, { query: '["=", "$host", "h2"]' }), ['h2', 'h2'])
  assert.deepEqual(await hostsOf(cloud, 1, demo, { query: ['=', '$host', 'h9'] }), ['none'])
})
