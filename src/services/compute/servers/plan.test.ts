/** Many servers of one request: all of them or none, whatever happens meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { ProbePoint, SagaProbe } from '#kernel/saga/run.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import type { TestProject } from '../../../../test/harness.ts'
import { GuestError } from '../drivers/driver.ts'
import { type ServerCloud, type ServerCloudOptions, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld } from './fixtures/world.ts'

interface Listed {
  servers: { id: string; name: string; status: string; fault?: { message: string } }[]
}

const plan = (more: string[] = []) => ['compute.plans.batch=2', ...more]

async function stage(options: ServerCloudOptions = {}) {
  const cloud = await serverCloud({ hosts: ['h1', 'h2', 'h3'], ...options, set: plan(options.set) })
  return Object.assign(cloud, { demo: await cloud.project('p1') })
}

async function listed(cloud: ServerCloud, who: TestProject): Promise<Listed['servers']> {
  const { servers } = (await cloud.api<Listed>(who, 'GET', '/servers/detail')).body
  return servers.sort((a, b) => (a.name < b.name ? -1 : 1))
}

const statuses = async (cloud: ServerCloud, who: TestProject) =>
  Object.fromEntries(
    [...Map.groupBy(await listed(cloud, who), server => server.status)].map(([status, all]) => [status, all.length]),
  )

async function removeAll(cloud: ServerCloud, who: TestProject): Promise<void> {
  for (const { id } of await listed(cloud, who)) await cloud.api(who, 'DELETE', `/servers/${id}`)
  await cloud.env.sagas.idle()
  assert.deepEqual(await cloud.held(), nothingHeld)
}

const full = new GuestError('No space left on the host.', { retryElsewhere: true })

onEachEngine('all are there with the answer, and ACTIVE in the end, on hosts that could build them', async database => {
  await using cloud = await stage({ world: await newWorld(undefined, database) })
  const { demo } = cloud
  for (const driver of [cloud.drivers.h1!, cloud.drivers.h2!]) driver.inject({ method: 'spawn', error: full })
  await cloud.ask(demo, { name: 'web', min_count: 7 })
  const begun = await listed(cloud, demo)
  assert.deepEqual(
    begun.map(server => server.name),
    [1, 2, 3, 4, 5, 6, 7].map(n => `web-${n}`),
  )
  const refused = await cloud.api(demo, 'POST', '/servers', { server: cloud.newServer({ min_count: 4 }) })
  assert.equal(refused.status, 403, 'they count against the quota from the answer on')
  await cloud.env.sagas.idle()
  assert.deepEqual(await statuses(cloud, demo), { ACTIVE: 7 })
  const { allocations, ports, guests, cleanups } = await cloud.held()
  assert.deepEqual([allocations, ports, guests, cleanups], [21, 7, 7, 0])
  await removeAll(cloud, demo)
})

test('when the hosts have no room for the last of them, none is made', async () => {
  await using cloud = await stage({ vcpus: 2, set: ['compute.hosts.cpu_allocation_ratio=1'] })
  const { demo } = cloud
  await cloud.ask(demo, { min_count: 7 })
  await cloud.env.sagas.idle()
  assert.deepEqual(await statuses(cloud, demo), { ERROR: 7 })
  for (const { fault } of await listed(cloud, demo)) assert.match(fault!.message, /3 refused by VCPU/)
  const { allocations, ports, addresses, guests } = await cloud.held()
  assert.deepEqual([allocations, ports, addresses, guests], [0, 0, 0, 0])
  await removeAll(cloud, demo)
  await cloud.ask(demo, { min_count: 6 })
  await cloud.env.sagas.idle()
  assert.deepEqual(await statuses(cloud, demo), { ACTIVE: 6 })
})

test('servers of an anti-affinity group stay apart from batch to batch, all or none', async () => {
  await using cloud = await stage()
  const { demo } = cloud
  const group = async (policy: string) => {
    const body = { server_group: { name: policy, policy } }
    const made = await cloud.api<{ server_group: { id: string } }>(demo, 'POST', '/os-server-groups', body)
    return { 'os:scheduler_hints': { group: made.body.server_group.id } }
  }
  const ask = async (hints: object, min_count: number) => {
    const server = cloud.newServer({ min_count })
    assert.equal((await cloud.api(demo, 'POST', '/servers', { server, ...hints })).status, 202)
    await cloud.env.sagas.idle()
  }
  await ask(await group('anti-affinity'), 3)
  assert.deepEqual(
    Object.values(cloud.world.guests).map(guests => guests.size),
    [1, 1, 1],
  )
  await removeAll(cloud, demo)
  await ask(await group('anti-affinity'), 4)
  assert.deepEqual(await statuses(cloud, demo), { ERROR: 4 })
  await removeAll(cloud, demo)
  await ask(await group('affinity'), 5)
  assert.deepEqual(
    Object.values(cloud.world.guests)
      .map(guests => guests.size)
      .sort(),
    [0, 0, 5],
  )
})

test('more ports than the project may have are refused at once; an address that is lacking later is every server’s fault', async () => {
  await using cloud = await stage({ set: ['network.quota_port=4'] })
  const { demo } = cloud
  const post = (patch: object) => cloud.api(demo, 'POST', '/servers', { server: cloud.newServer({ ...patch }) })
  assert.equal((await post({ min_count: 5 })).status, 403)
  assert.deepEqual(await cloud.held(), nothingHeld)
  const token = demo.token
  const made = await cloud.request<{ network: { id: string } }>('POST', '/network/v2.0/networks', {
    token,
    body: { network: { name: 'small' } },
  })
  const network_id = made.body.network.id
  const subnet = { network_id, ip_version: 4, cidr: '10.9.0.0/29', enable_dhcp: false, gateway_ip: null }
  const pools = { allocation_pools: [{ start: '10.9.0.2', end: '10.9.0.4' }] }
  await cloud.request('POST', '/network/v2.0/subnets', { token, body: { subnet: { ...subnet, ...pools } } })
  assert.equal((await post({ min_count: 4, networks: [{ uuid: network_id }] })).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(await statuses(cloud, demo), { ERROR: 4 })
  for (const { fault } of await listed(cloud, demo)) assert.match(fault!.message, /No more IP addresses/)
  const { allocations, ports } = await cloud.held()
  assert.deepEqual([allocations, ports], [0, 0])
})

test('a port, and an address, is one server’s', async () => {
  await using cloud = await stage()
  const refusal = async (network: object) => {
    const server = cloud.newServer({ min_count: 2, networks: [network] })
    const { body } = await cloud.api<{ badRequest: { message: string } }>(cloud.demo, 'POST', '/servers', { server })
    return body.badRequest.message
  }
  assert.match(await refusal({ uuid: cloud.network, fixed_ip: '10.0.0.9' }), /max_count cannot be greater than 1/)
  assert.match(await refusal({ port: cloud.network }), /with a single configured port ID/)
})

test('what is not built in time is taken back whole', async () => {
  const clock = virtualClock()
  const delay = { method: 'spawn', delayMs: 3_600_000, call: 3 } as const
  const set = ['compute.plans.timeout_seconds=60']
  await using cloud = await stage({ world: await newWorld(clock), hosts: ['h1'], faults: { h1: [delay] }, set })
  await cloud.ask(cloud.demo, { min_count: 5 })
  await clock.advance(30_000)
  assert.deepEqual(await statuses(cloud, cloud.demo), { ACTIVE: 4, BUILD: 1 })
  await clock.advance(60_000)
  await cloud.env.sagas.idle()
  assert.deepEqual(await cloud.held(), nothingHeld)
  await cloud.boot(cloud.demo, {})
})

test('when more fail than may, all are taken back', async () => {
  const set = ['compute.plans.failures_percent=20', 'compute.plans.attempts=1']
  await using cloud = await stage({ hosts: ['h1'], set })
  const { demo } = cloud
  cloud.drivers.h1!.inject({ method: 'spawn', error: full })
  await cloud.ask(demo, { min_count: 5 })
  await cloud.env.sagas.idle()
  assert.deepEqual(await statuses(cloud, demo), { ACTIVE: 4, ERROR: 1 })
  await removeAll(cloud, demo)
  cloud.drivers.h1!.inject({ method: 'spawn', error: full }, { method: 'spawn', error: full, call: 2 })
  await cloud.ask(demo, { min_count: 5 })
  await cloud.env.sagas.idle()
  assert.deepEqual(await cloud.held(), nothingHeld)
})

const ofPlan = ({ saga }: ProbePoint) => saga === 'compute.servers.plan'

/** A plan for three, met at each of its steps in turn. */
async function eachPoint(
  meet: (s: { cloud: ServerCloud; who: TestProject; where: string; point: ProbePoint }) => Promise<void> | void,
  then: (s: { boot(): Promise<ServerCloud>; cloud: ServerCloud; who: TestProject; where: string }) => Promise<void>,
): Promise<void> {
  const world = await newWorld()
  let probe: SagaProbe = () => {}
  const boot = () => serverCloud({ world, hosts: ['h1', 'h2'], set: plan(), sagaProbe: point => probe(point) })
  let cloud = await boot()
  const who = await cloud.project('p1')
  const points: ProbePoint[] = []
  probe = point => void (ofPlan(point) && points.push(point))
  await cloud.ask(who, { min_count: 3 })
  await cloud.env.sagas.idle()
  await removeAll(cloud, who)
  assert.ok(points.length > 10, 'two batches are placed and begun, and watched')
  for (const { step, at } of points) {
    const reached = Promise.withResolvers<void>()
    const where = `${at} ${step}`
    let times = 0
    probe = point => {
      if (!ofPlan(point) || point.step !== step || point.at !== at || ++times > 1) return
      reached.resolve()
      return meet({ cloud, who, where, point })
    }
    await cloud.ask(who, { min_count: 3 })
    await reached.promise
    const restarted = async () => {
      await cloud.kill()
      probe = () => {}
      cloud = await boot()
      await cloud.begin()
      return cloud
    }
    await then({ boot: restarted, cloud, who, where })
    await removeAll(cloud, who)
  }
  await cloud[Symbol.asyncDispose]()
}

test('a kill at every step of a plan loses none of its servers, and makes none twice', async () => {
  await eachPoint(
    () => new Promise<never>(() => {}),
    async ({ boot, who, where }) => {
      const cloud = await boot()
      await cloud.env.sagas.idle()
      assert.deepEqual(await statuses(cloud, who), { ACTIVE: 3 }, where)
      const { allocations, ports, guests } = await cloud.held()
      assert.deepEqual([allocations, ports, guests], [9, 3, 3], where)
    },
  )
})

test('a failure at every step of a plan leaves servers that are built, and servers in error that hold nothing', async () => {
  await eachPoint(
    () => {
      throw new Error('injected')
    },
    async ({ cloud, who, where }) => {
      await cloud.env.sagas.idle()
      const { ACTIVE = 0, ERROR = 0 } = await statuses(cloud, who)
      assert.equal(ACTIVE + ERROR, 3, where)
      const { allocations, ports, guests } = await cloud.held()
      assert.deepEqual([allocations, ports, guests], [3 * ACTIVE, ACTIVE, ACTIVE], where)
    },
  )
})

test('a server that is deleted at any step of its plan is gone, and the others are built', async () => {
  await eachPoint(
    async ({ cloud, who }) => {
      const [first, , last] = await listed(cloud, who)
      for (const one of [first, last]) await cloud.api(who, 'DELETE', `/servers/${one!.id}`)
    },
    async ({ cloud, who, where }) => {
      await cloud.env.sagas.idle()
      assert.deepEqual(await statuses(cloud, who), { ACTIVE: 1 }, where)
    },
  )
})
