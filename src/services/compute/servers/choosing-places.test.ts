/** Racks and power units: servers that want one of them, or all of them; groups with a level; places where something fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { TestProject } from '../../../../test/harness.ts'
import { aggregate, hostsOf } from './fixtures/choosing.ts'
import { type ServerCloud, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'

const hosts = ['h1', 'h2', 'h3', 'h4']
const roomy = ['compute.quota.instances=50', 'compute.quota.cores=50']

/** Racks by name, with their hosts. */
async function places(cloud: ServerCloud, level: string, named: Record<string, string[]>): Promise<void> {
  for (const [name, members] of Object.entries(named))
    await aggregate(cloud, `${level} ${name}`, members, { [`place:${level}`]: name })
}

/** Asks for several servers at once. */
async function together(cloud: ServerCloud, who: TestProject, count: number, hints: object, patch: object = {}) {
  const server = cloud.newServer({ min_count: count, return_reservation_id: true, ...patch })
  const body = { server, 'os:scheduler_hints': hints }
  const made = await cloud.api<{ reservation_id: string }>(who, 'POST', '/servers', body)
  assert.equal(made.status, 202, JSON.stringify(made.body))
  await cloud.env.sagas.idle()
  const admin = await cloud.admin()
  const path = `/servers/detail?all_tenants=1&reservation_id=${made.body.reservation_id}`
  const shown = await cloud.api<{ servers: { id: string; status: string; 'OS-EXT-SRV-ATTR:host': string | null }[] }>(
    admin,
    'GET',
    path,
  )
  return shown.body.servers.map(one => ({ id: one.id, status: one.status, host: one['OS-EXT-SRV-ATTR:host'] }))
}

async function group(cloud: ServerCloud, who: TestProject, policy: string, rules: object) {
  const server_group = { name: 'g', policy, rules }
  return cloud.api<{ server_group: { id: string; policy: string; rules: object; members: string[] } }>(
    who,
    'POST',
    '/os-server-groups',
    { server_group },
  )
}

test('servers of one request share a rack: one with room for all of them', async () => {
  await using cloud = await serverCloud({ hosts, vcpus: 1, set: roomy })
  const demo = await cloud.project('demo-1')
  // Four vCPUs a host; h1 has most room of all and is alone in its rack.
  await places(cloud, 'rack', { r1: ['h1'], r2: ['h2', 'h3'], r3: ['h4'] })
  const made = await together(cloud, demo, 6, { same_place: 'rack' })
  assert.deepEqual(new Set(made.map(one => one.host)), new Set(['h2', 'h3']))
  const [first] = made
  const more = await together(cloud, demo, 2, { same_place: ['rack'], related_servers: [first!.id] })
  assert.deepEqual(new Set(more.map(one => one.host)), new Set(['h2', 'h3']))
  const another = await together(cloud, demo, 1, { same_place: 'rack', related_servers: [first!.id] })
  assert.deepEqual(
    another.map(one => one.status),
    ['ERROR'],
    'the rack is full',
  )
  const anywhere = await together(cloud, demo, 1, { prefer_same_place: 'rack', related_servers: [first!.id] })
  assert.deepEqual(
    anywhere.map(one => one.status),
    ['ACTIVE'],
  )
})

test('servers are spread over power units evenly; with one of them left, a boot that insists fails and one that prefers does not', async () => {
  await using cloud = await serverCloud({ hosts, set: roomy })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  await places(cloud, 'pdu', { p1: ['h1', 'h2', 'h3'], p2: ['h4'] })
  const onP2 = (made: { host: string | null }[]) => made.filter(one => one.host === 'h4').length
  assert.equal(onP2(await together(cloud, demo, 4, { spread_over: 'pdu' })), 2)
  assert.equal(onP2(await together(cloud, demo, 4, { prefer_spread_over: 'pdu' })), 2)

  const services = await cloud.api<{ services: { id: string }[] }>(admin, 'GET', '/os-services?host=h4')
  const path = `/os-services/${services.body.services[0]!.id}`
  assert.equal((await cloud.api(admin, 'PUT', path, { status: 'disabled' })).status, 200)
  const failed = await together(cloud, demo, 4, { spread_over: 'pdu' })
  assert.deepEqual(new Set(failed.map(one => one.status)), new Set(['ERROR']))
  const { fault } = await cloud.show(demo, failed[0]!.id)
  assert.match(fault.message, /No valid host was found.*3 refused by PlaceFilter/)
  const made = await together(cloud, demo, 4, { prefer_spread_over: 'pdu' })
  assert.deepEqual(new Set(made.map(one => one.status)), new Set(['ACTIVE']))
})

test('members of a group for one rack are on different hosts of it, and the group tells its level', async () => {
  await using cloud = await serverCloud({ hosts })
  const demo = await cloud.project('demo-1')
  await places(cloud, 'rack', { r1: ['h1', 'h2'], r2: ['h3', 'h4'] })
  const made = await group(cloud, demo, 'affinity', { level: 'rack', max_server_per_host: 1 })
  assert.equal(made.status, 200)
  const { id } = made.body.server_group
  const chosen = await hostsOf(cloud, 3, demo, { group: id })
  const racks = [
    ['h1', 'h2'],
    ['h3', 'h4'],
  ].map(rack => rack.every(host => chosen.includes(host)))
  assert.deepEqual(racks.sort(), [false, true])
  assert.equal(chosen[2], 'none', 'a third would share a host')
  const shown = await cloud.api<typeof made.body>(demo, 'GET', `/os-server-groups/${id}`)
  const { policy, rules, members } = shown.body.server_group
  assert.deepEqual([policy, rules, members.length], ['affinity', { level: 'rack', max_server_per_host: 1 }, 2])
  const old = await cloud.api<{ server_group: object }>(demo, 'GET', `/os-server-groups/${id}`, undefined, '2.63')
  assert.equal('rules' in old.body.server_group, false)
})

test('members of a group may want different racks, and as many in each as it says', async () => {
  await using cloud = await serverCloud({ hosts, set: roomy })
  const demo = await cloud.project('demo-1')
  await places(cloud, 'rack', { r1: ['h1', 'h2'], r2: ['h3'] })
  const rackOf = (host: string) => ({ h1: 'r1', h2: 'r1', h3: 'r2' })[host] ?? host
  const apart = await group(cloud, demo, 'anti-affinity', { level: 'rack' })
  const one = await hostsOf(cloud, 3, demo, { group: apart.body.server_group.id })
  assert.deepEqual(one.map(rackOf).sort(), ['none', 'r1', 'r2'], 'nobody knows where h4 is')
  const pairs = await group(cloud, demo, 'anti-affinity', { level: 'rack', max_server_per_place: '2' })
  const two = await hostsOf(cloud, 5, demo, { group: pairs.body.server_group.id })
  assert.deepEqual(two.map(rackOf).sort(), ['none', 'r1', 'r1', 'r2', 'r2'])
  const soft = await group(cloud, demo, 'soft-anti-affinity', { level: 'rack' })
  const spread = await hostsOf(cloud, 3, demo, { group: soft.body.server_group.id })
  assert.deepEqual(new Set(spread.slice(0, 2).map(rackOf)), new Set(['r1', 'r2']))
  assert.notEqual(spread[2], 'none')
})

test('what makes no sense of levels is refused with what would', async () => {
  await using cloud = await serverCloud({ hosts: ['h1'] })
  const demo = await cloud.project('demo-1')
  await places(cloud, 'rack', { r1: ['h1'] })
  const body = { server: cloud.newServer(), 'os:scheduler_hints': { spread_over: 'pdu' } }
  const refused = await cloud.api<{ badRequest: { message: string } }>(demo, 'POST', '/servers', body)
  assert.equal(refused.status, 400)
  assert.match(refused.body.badRequest.message, /level pdu: use one of host, rack/)
  for (const [policy, rules] of [
    ['affinity', { level: 'pdu' }],
    ['affinity', { max_server_per_host: 2 }],
    ['affinity', { level: 'rack', max_server_per_place: 2 }],
    ['anti-affinity', { level: 'rack', max_server_per_host: 2 }],
    ['anti-affinity', { max_server_per_place: 2 }],
  ] as const)
    assert.equal((await group(cloud, demo, policy, rules)).status, 400, JSON.stringify([policy, rules]))
})

test('a moved server goes where its hints and its rack want it', async () => {
  await using cloud = await serverCloud({ hosts })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  await places(cloud, 'rack', { r1: ['h1', 'h2'], r2: ['h3', 'h4'] })
  const [one, other] = await together(cloud, demo, 2, { same_place: 'rack' })
  const moved = await cloud.api(admin, 'POST', `/servers/${one!.id}/action`, {
    'os-migrateLive': { host: null, block_migration: 'auto' },
  })
  assert.equal(moved.status, 202)
  await cloud.env.sagas.idle()
  const { host } = await cloud.row(one!.id)
  assert.notEqual(host, one!.host)
  const rackOf = (name: string | null) => (name === 'h1' || name === 'h2' ? 'r1' : 'r2')
  assert.equal(rackOf(host), rackOf(other!.host))
})

test('the cooling of a row fails: no new server goes there until it is mended, however long that takes', async () => {
  const clock = virtualClock()
  const set = ['compute.scheduler.wanted_signals=cooling s!= failed']
  await using cloud = await serverCloud({ hosts, world: await newWorld(clock), set })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  await places(cloud, 'row', { 3: ['h1', 'h2', 'h3'], 4: ['h4'] })
  const tell = async (path: string, cooling: string | null, who = admin) =>
    (await cloud.api(who, 'PUT', `/os-places/${path}/signals`, { signals: { cooling } })).status
  assert.equal(await tell('row=5', 'failed'), 404)
  assert.equal(await tell('row=3', 'failed', demo), 403)
  assert.equal(await tell('row=3', 'failed'), 204)
  assert.deepEqual(await hostsOf(cloud, 4, demo), ['h4', 'h4', 'h4', 'h4'])
  await clock.advance(400_000)
  assert.deepEqual(await hostsOf(cloud, 1, demo), ['h4'])
  const shown = await cloud.api<{ places: { level: string; name: string; hosts: string[]; signals: object }[] }>(
    admin,
    'GET',
    '/os-places',
  )
  assert.deepEqual(
    shown.body.places.map(one => [one.level, one.name, one.hosts.length, Object.keys(one.signals)]),
    [
      ['row', '3', 3, ['cooling']],
      ['row', '4', 1, []],
    ],
  )
  assert.equal(await tell('row=3', null), 204)
  assert.notEqual((await hostsOf(cloud, 1, demo))[0], 'h4')
})
