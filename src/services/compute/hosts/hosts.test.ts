import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud, type Who } from '../fixtures/compute-cloud.ts'
import { changeHost, hostsForScheduling, recheck } from './steps.ts'
import { hosts } from './store.ts'

interface ServiceView {
  id: string | number
  host: string
  state: string
  status: string
  zone: string
  forced_down?: boolean
  disabled_reason: string | null
}
interface Hypervisor {
  id: string | number
  hypervisor_hostname: string
  state: string
  service: { id: string | number; host: string }
  cpu_info?: { arch: string } | string
  uptime?: string | null
  memory_mb_used?: number
}
type Cloud = Awaited<ReturnType<typeof computeCloud>>

const services = async (cloud: Cloud, query = '') =>
  (await cloud.call<{ services: ServiceView[] }>('admin', 'GET', `/os-services${query}`)).body.services

onEachEngine('a host that reports is a service, a hypervisor and a resource provider', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.report('h1')
  const [service] = await services(cloud)
  assert.deepEqual(
    [service?.host, service?.state, service?.status, service?.zone, service?.forced_down],
    ['h1', 'up', 'enabled', 'nova', false],
  )
  const { body } = await cloud.call<{ hypervisors: Hypervisor[] }>('admin', 'GET', '/os-hypervisors/detail')
  const [hypervisor] = body.hypervisors
  assert.equal(hypervisor?.service.id, service?.id)
  assert.match(
    hypervisor?.uptime ?? '',
    /^ \d\d:\d\d:\d\d up 1 days, 1:01, {2}0 users, {2}load average: 0.50, 0.25, 0.10$/,
  )
  const provider = cloud.placement.providers.get(String(hypervisor?.id))
  assert.deepEqual(provider?.inventories.MEMORY_MB, {
    total: 8192,
    reserved: 512,
    min_unit: 1,
    max_unit: 8192,
    step_size: 1,
    allocation_ratio: 1,
  })
  assert.equal(provider?.inventories.VCPU?.allocation_ratio, 4)
  assert.ok(provider?.traits.includes('COMPUTE_NODE'))
})

onEachEngine('a host whose first two reports come at once is made once, and both are taken', async database => {
  await using cloud = await computeCloud({ database })
  await Promise.all([cloud.report('h1'), cloud.report('h1'), cloud.report('h2')])
  assert.deepEqual((await services(cloud)).map(one => one.host).sort(), ['h1', 'h2'])
})

onEachEngine('a report that says nothing new of its host is kept by one statement', async database => {
  let transactions = 0
  const watched: Database = {
    ...database,
    transaction(fn) {
      transactions++
      return database.transaction(fn)
    },
  }
  await using cloud = await computeCloud({ database: watched })
  await cloud.report('h1')
  const before = { transactions, statements: database.statements() }
  await cloud.report('h1', { started: false })
  // Its row, the change of that, and the servers that are there.
  assert.deepEqual([transactions - before.transactions, database.statements() - before.statements], [0, 3])
  await cloud.report('h1', { facts: { vcpus: 16 }, started: false })
  assert.equal(cloud.placement.providers.get([...cloud.placement.providers.keys()][0]!)?.inventories.VCPU?.total, 16)
})

test('a host that stops to report is down after a minute, and up again with the next report', async () => {
  const clock = virtualClock()
  await using cloud = await computeCloud({ clock })
  await cloud.report('h1')
  const state = async () => (await services(cloud))[0]?.state
  await clock.advance(59_000)
  assert.equal(await state(), 'up')
  await clock.advance(2_000)
  assert.equal(await state(), 'down')
  const ctx = cloud.ctx()
  const remembered = await hostsForScheduling(ctx, cloud.candidates())
  assert.deepEqual(
    (await recheck(ctx, remembered)).map(host => [host.host, host.up]),
    [['h1', false]],
  )
  await cloud.report('h1', { started: false })
  assert.equal((await recheck(ctx, remembered))[0]?.up, true)
  assert.equal(await state(), 'up')
})

onEachEngine(
  'scheduling remembers hosts until their providers change, and is sure of those it rechecks',
  async database => {
    await using cloud = await computeCloud({ database })
    for (let i = 0; i < 20; i++) await cloud.report(`h${i}`)
    const ctx = cloud.ctx()
    const candidates = cloud.candidates()
    const statements = async (work: () => Promise<unknown>) => {
      const before = database.statements()
      await work()
      return database.statements() - before
    }
    assert.ok((await statements(() => hostsForScheduling(ctx, candidates))) <= 2)
    assert.equal(await statements(() => hostsForScheduling(ctx, candidates)), 0)
    await cloud.report('h7', { facts: { vcpus: 16 }, started: false })
    const changed = candidates.map((candidate, i) => (i === 7 ? { ...candidate, generation: 2 } : candidate))
    const found = await hostsForScheduling(ctx, changed)
    assert.deepEqual([found[6]?.free_vcpus, found[7]?.free_vcpus], [32, 64])
    const [{ id } = {} as ServiceView] = await services(cloud)
    await cloud.call('admin', 'PUT', `/os-services/${id}`, { status: 'disabled', forced_down: true })
    const [first, second] = await recheck(ctx, found.slice(0, 2))
    assert.deepEqual([first?.enabled, first?.up, second?.enabled, second?.up], [false, false, true, true])
    assert.equal(first?.free_vcpus, 32)
  },
)

test("what a host offers follows the host's facts", async () => {
  await using cloud = await computeCloud()
  await cloud.report('h1')
  await cloud.report('h1', { facts: { memory_mb: 16_384 }, started: false })
  const [provider] = cloud.placement.providers.values()
  assert.equal(provider?.inventories.MEMORY_MB?.total, 16_384)
  assert.equal(cloud.placement.providers.size, 1)
})

onEachEngine('two operators who looked at the same time: placement hears what the last one said', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.report('h1')
  const ctx = cloud.ctx()
  const row = (await hosts.find(ctx.db, { name: 'h1' }))!
  const isClosed = () => [...cloud.placement.providers.values()][0]!.traits.includes('COMPUTE_STATUS_DISABLED')
  await changeHost(ctx, row, { disabled: true, disabled_reason: 'fan' })
  assert.ok(isClosed())
  await changeHost(ctx, row, { disabled: false, disabled_reason: null })
  assert.ok(!isClosed())
  await hosts.remove(ctx.db, { name: 'h1' })
  await assert.rejects(changeHost(ctx, row, { disabled: true }), /Compute host h1 could not be found/)
})

onEachEngine('an operator disables, enables and forces down a host by its UUID', async database => {
  await using cloud = await computeCloud({ database })
  await cloud.report('h1')
  const [{ id } = {} as ServiceView] = await services(cloud)
  const put = (body: unknown) => cloud.call<{ service: ServiceView }>('admin', 'PUT', `/os-services/${id}`, body)
  const disabled = await put({ status: 'disabled', disabled_reason: 'fan' })
  assert.deepEqual([disabled.body.service.status, disabled.body.service.disabled_reason], ['disabled', 'fan'])
  const [provider] = cloud.placement.providers.values()
  assert.ok(provider?.traits.includes('COMPUTE_STATUS_DISABLED'))
  const [host] = await hostsForScheduling(cloud.ctx(), cloud.candidates())
  assert.deepEqual([host?.enabled, host?.disabled_reason], [false, 'fan'])
  await cloud.report('h1')
  assert.equal((await services(cloud))[0]?.status, 'disabled')
  assert.equal((await put({ status: 'enabled' })).body.service.disabled_reason, null)
  assert.ok(![...cloud.placement.providers.values()][0]?.traits.includes('COMPUTE_STATUS_DISABLED'))
  assert.equal((await put({ forced_down: true })).body.service.state, 'down')
  for (const bad of [{}, { status: 'enabled', disabled_reason: 'x' }, { status: 'off' }, { disabled_reason: 'x' }])
    assert.equal((await put(bad)).status, 400)
  assert.equal((await cloud.call('admin', 'PUT', '/os-services/1', { status: 'enabled' })).status, 400)
  assert.equal((await cloud.call('alice', 'GET', '/os-services')).status, 403)
})

test('until 2.52 a host is named in the body and the verb in the path', async () => {
  await using cloud = await computeCloud()
  await cloud.report('h1')
  const put = (verb: string, more = {}, version = '2.52') =>
    cloud.call<{ service: Partial<ServiceView> }>(
      'admin',
      'PUT',
      `/os-services/${verb}`,
      { host: 'h1', binary: 'nova-compute', ...more },
      version,
    )
  assert.deepEqual((await put('disable-log-reason', { disabled_reason: 'fan' })).body.service, {
    host: 'h1',
    binary: 'nova-compute',
    status: 'disabled',
    disabled_reason: 'fan',
  })
  assert.equal((await put('disable-log-reason')).status, 400)
  assert.equal((await put('enable')).body.service.status, 'enabled')
  assert.equal((await put('force-down', { forced_down: 'true' })).body.service.forced_down, true)
  assert.equal((await put('force-down', {}, '2.10')).status, 404)
  assert.equal((await put('destroy')).status, 404)
  assert.equal((await put('enable', { host: 'h2' })).status, 404)
  assert.equal((await put('enable', { binary: 'nova-conductor' })).status, 400)
  const [{ id } = {} as ServiceView] = (
    await cloud.call<{ services: ServiceView[] }>('admin', 'GET', '/os-services', undefined, '2.1')
  ).body.services
  assert.equal(typeof id, 'number')
})

test('a forgotten host is gone everywhere until it reports again', async () => {
  await using cloud = await computeCloud()
  await cloud.report('h1')
  const { body } = await cloud.call<{ aggregate: { id: number } }>('admin', 'POST', '/os-aggregates', {
    aggregate: { name: 'a' },
  })
  await cloud.call('admin', 'POST', `/os-aggregates/${body.aggregate.id}/action`, { add_host: { host: 'h1' } })
  const [{ id } = {} as ServiceView] = await services(cloud)
  assert.equal((await cloud.call('admin', 'DELETE', `/os-services/${id}`)).status, 204)
  assert.deepEqual([await services(cloud), cloud.placement.providers.size], [[], 0])
  assert.equal((await cloud.call('admin', 'DELETE', `/os-services/${id}`)).status, 404)
  await cloud.report('h1', { started: false })
  assert.deepEqual([(await services(cloud)).length, cloud.placement.providers.size], [1, 1])
})

test('hypervisors are found by a part of their name, in the old form and the new', async () => {
  await using cloud = await computeCloud()
  for (const name of ['rack1-a', 'rack1-b', 'rack2-a']) await cloud.report(name)
  const names = async (path: string, version?: string) =>
    (await cloud.call<{ hypervisors: Hypervisor[] }>('admin', 'GET', path, undefined, version)).body.hypervisors.map(
      h => h.hypervisor_hostname,
    )
  assert.deepEqual(await names('/os-hypervisors/rack1/search', '2.52'), ['rack1-a', 'rack1-b'])
  assert.deepEqual(await names('/os-hypervisors?hypervisor_hostname_pattern=rack1'), ['rack1-a', 'rack1-b'])
  const get = (path: string, who: Who = 'admin', version = 'latest') => cloud.call(who, 'GET', path, undefined, version)
  assert.equal((await get('/os-hypervisors?hypervisor_hostname_pattern=rack9')).status, 404)
  assert.equal((await get('/os-hypervisors?hypervisor_hostname_pattern=rack1&limit=1')).status, 400)
  assert.equal((await get('/os-hypervisors/rack1/search')).status, 404)
  assert.equal((await get('/os-hypervisors', 'alice')).status, 403)
  assert.equal((await get('/os-hypervisors/7')).status, 400)
  assert.equal((await get('/os-hypervisors/7', 'admin', '2.52')).status, 404)
  const { body } = await cloud.call<{ hypervisors: Hypervisor[]; hypervisors_links: { href: string }[] }>(
    'admin',
    'GET',
    '/os-hypervisors?limit=2',
  )
  const next = new URL(body.hypervisors_links[0]!.href).search
  assert.deepEqual(await names(`/os-hypervisors${next}`), ['rack2-a'])
})

test('sums of what hypervisors have were shown until 2.87', async () => {
  await using cloud = await computeCloud()
  await cloud.report('h1', { guests: [{ id: 'g', power_state: 1 }] })
  await cloud.report('h2')
  const [provider] = cloud.placement.providers.keys()
  cloud.placement.used.set(provider!, { VCPU: 2, MEMORY_MB: 1024, DISK_GB: 10 })
  const { body } = await cloud.call<{ hypervisor_statistics: Record<string, number> }>(
    'admin',
    'GET',
    '/os-hypervisors/statistics',
    undefined,
    '2.87',
  )
  const { count, vcpus, vcpus_used, memory_mb_used, running_vms, free_disk_gb } = body.hypervisor_statistics
  assert.deepEqual([count, vcpus, vcpus_used, memory_mb_used, running_vms, free_disk_gb], [2, 16, 2, 2048, 1, 190])
  const at = async (version: string) =>
    (await cloud.call<{ hypervisors: Hypervisor[] }>('admin', 'GET', '/os-hypervisors/detail', undefined, version)).body
      .hypervisors[0]!
  assert.equal(typeof (await at('2.27')).cpu_info, 'string')
  assert.equal(typeof (await at('2.28')).cpu_info, 'object')
  assert.ok(!('uptime' in (await at('2.87'))) && !('cpu_info' in (await at('2.88'))))
})
