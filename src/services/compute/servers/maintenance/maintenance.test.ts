/** Stories of hosts that are emptied, and of servers that are suspended while their host is restarted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { onEachEngine } from '../../../../../test/engines.ts'
import { type ServerCloudOptions, serverCloud } from '../fixtures/server-cloud.ts'
import { newWorld, type World } from '../fixtures/world.ts'

interface Shown {
  id: string
  kind: string
  state: string
  problem: string | null
  counts: Record<string, number>
  servers: { server_id: string; state: string; act: string | null; to_host: string | null; reason: string | null }[]
}

async function stage(options: ServerCloudOptions = {}) {
  const cloud = await serverCloud({ hosts: ['h1'], ...options })
  const [admin, demo] = [await cloud.admin(), await cloud.project('p1')]
  return Object.assign(cloud, {
    demo,
    administrator: admin,
    maintain: (maintenance: object, who = admin) =>
      cloud.api<{ maintenance: Shown; conflictingRequest?: { message: string } }>(who, 'POST', '/os-maintenances', {
        maintenance,
      }),
    async shown(id: string): Promise<Shown> {
      return (await cloud.api<{ maintenance: Shown }>(admin, 'GET', `/os-maintenances/${id}`)).body.maintenance
    },
    async act(id: string, body: object) {
      const answer = await cloud.api(admin, 'POST', `/servers/${id}/action`, body)
      assert.ok(answer.status < 300, JSON.stringify(answer.body))
      await cloud.env.sagas.idle()
    },
    async listed(host: string): Promise<string[]> {
      const path = `/servers?all_tenants=1&host=${host}`
      return (await cloud.api<{ servers: { id: string }[] }>(admin, 'GET', path)).body.servers.map(one => one.id)
    },
    async service(host: string) {
      const { body } = await cloud.api<{ services: Record<string, unknown>[] }>(
        admin,
        'GET',
        `/os-services?host=${host}`,
      )
      return body.services[0]!
    },
  })
}

async function boot(cloud: Awaited<ReturnType<typeof stage>>, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) ids.push((await cloud.boot(cloud.demo)).id)
  return ids
}

onEachEngine(
  'a host is drained: what runs moves as it runs, what is off moves cold, what cannot says why',
  async database => {
    await using cloud = await stage({ world: await newWorld(undefined, database) })
    const [one, two, off, shelved, suspended] = (await boot(cloud, 5)) as [string, string, string, string, string]
    await cloud.act(off, { 'os-stop': null })
    await cloud.act(suspended, { suspend: null })
    await cloud.addHost('h2')
    const asked = await cloud.maintain({ kind: 'drain', host: 'h1', together: 2 })
    assert.equal(asked.status, 202)
    const { id, servers } = asked.body.maintenance
    assert.equal(servers.length, 5)
    const service = await cloud.service('h1')
    assert.deepEqual([service.status, service.disabled_reason], ['disabled', `maintenance ${id}`])
    const second = await cloud.maintain({ kind: 'drain', host: 'h1' })
    assert.deepEqual(
      [second.status, second.body.conflictingRequest?.message],
      [409, `Maintenance ${id} goes on with h1: wait for it, or cancel it.`],
    )
    await cloud.env.sagas.idle()

    const ended = await cloud.shown(id)
    const became = (server: string) => {
      const { state, act, to_host } = ended.servers.find(row => row.server_id === server)!
      return [state, act, to_host]
    }
    assert.deepEqual([one, two, shelved].map(became), Array(3).fill(['done', 'live', 'h2']))
    assert.deepEqual(became(off), ['done', 'cold', 'h2'])
    assert.equal(
      (await cloud.show(cloud.administrator, off)).status,
      'SHUTOFF',
      'nobody is asked whether it may stay there',
    )
    assert.deepEqual([ended.state, ended.counts.done, ended.counts.refused], ['incomplete', 4, 1])
    assert.match(ended.servers.find(row => row.server_id === suspended)!.reason!, /it is suspended: resume it/)
    assert.deepEqual(await cloud.listed('h1'), [suspended])
    for (const server of [one, two, off, shelved]) {
      assert.deepEqual([cloud.guestHosts(server), cloud.asides(server)], [['h2'], []])
      assert.deepEqual(Object.keys(await cloud.allocated(server)), ['h2'])
    }

    await cloud.act(suspended, { resume: null })
    const again = await cloud.maintain({ kind: 'drain', host: 'h1' })
    await cloud.env.sagas.idle()
    assert.equal((await cloud.shown(again.body.maintenance.id)).state, 'done')
    assert.deepEqual(await cloud.listed('h1'), [])
    const all = await cloud.api<{ maintenances: Shown[] }>(cloud.administrator, 'GET', '/os-maintenances?host=h1')
    assert.deepEqual(
      all.body.maintenances.map(row => row.id),
      [again.body.maintenance.id, id],
    )
    const over = await cloud.api(cloud.administrator, 'DELETE', `/os-maintenances/${id}`)
    assert.equal(over.status, 409)
  },
)

test('a drain asks for little: a shelved server leaves, one that no host takes stays where it runs and says so', async () => {
  await using cloud = await stage({ set: ['compute.shelved_offload_seconds=-1'] })
  const [shelved, running] = (await boot(cloud, 2)) as [string, string]
  await cloud.act(shelved, { shelve: null })
  const { body } = await cloud.maintain({ kind: 'drain', host: 'h1' })
  await cloud.env.sagas.idle()
  const { state, servers } = await cloud.shown(body.maintenance.id)
  assert.equal(state, 'incomplete')
  assert.equal((await cloud.show(cloud.administrator, shelved)).status, 'SHELVED_OFFLOADED')
  const row = servers.find(one => one.server_id === running)!
  assert.deepEqual([row.state, row.act], ['failed', 'cold'])
  assert.match(row.reason!, /No valid host was found/)
  assert.equal((await cloud.show(cloud.administrator, running)).status, 'ACTIVE')
  const strict = await cloud.maintain({ kind: 'drain', host: 'h1', live: 'yes' })
  await cloud.env.sagas.idle()
  const [refused] = (await cloud.shown(strict.body.maintenance.id)).servers
  assert.deepEqual(
    [refused!.state, refused!.reason],
    ['refused', 'it cannot move while it runs: no other host is up and enabled'],
  )
})

test('a cancelled drain begins nothing more, and sees to its end what it began', async () => {
  await using cloud = await stage()
  await boot(cloud, 3)
  await cloud.addHost('h2')
  cloud.drivers.h1!.inject({ method: 'migrateLive', delayMs: 300 })
  const { body } = await cloud.maintain({ kind: 'drain', host: 'h1', together: 1 })
  const { id } = body.maintenance
  while ((await cloud.shown(id)).counts.going !== 1) await new Promise(resolve => setImmediate(resolve))
  assert.equal((await cloud.api(cloud.demo, 'DELETE', `/os-maintenances/${id}`)).status, 403)
  assert.equal((await cloud.api(cloud.administrator, 'DELETE', `/os-maintenances/${id}`)).status, 202)
  await cloud.env.sagas.idle()
  const { state, counts } = await cloud.shown(id)
  assert.deepEqual([state, counts.done, counts.left, counts.going], ['cancelled', 1, 2, 0])
  assert.equal((await cloud.listed('h1')).length, 2)
})

test('servers that are being built are waited for, those that are deleted meanwhile are done', async () => {
  await using cloud = await stage()
  const [server] = (await boot(cloud, 1)) as [string]
  cloud.drivers.h1!.inject({ method: 'spawn', delayMs: 300 })
  const late = await cloud.ask(cloud.demo)
  await cloud.addHost('h2')
  const { body } = await cloud.maintain({ kind: 'drain', host: 'h1' })
  await cloud.api(cloud.administrator, 'DELETE', `/servers/${server}`)
  await cloud.env.sagas.idle()
  const { state, servers } = await cloud.shown(body.maintenance.id)
  assert.deepEqual([state, servers.map(row => row.state)], ['done', ['done', 'done']])
  assert.deepEqual(cloud.guestHosts(late), ['h2'])
  assert.deepEqual(cloud.guestHosts(server), [])
})

test('servers are suspended, their host is restarted, and they go on where they were', async () => {
  await using cloud = await stage()
  const ids = await boot(cloud, 3)
  const [, stopped] = ids as [string, string, string]
  await cloud.act(stopped, { 'os-stop': null })
  for (const id of ids) cloud.drivers.h1!.write(id, 'root', 'kept')
  assert.equal((await cloud.maintain({ kind: 'resume', host: 'h1' })).status, 400)
  const first = await cloud.maintain({ kind: 'suspend', host: 'h1' })
  await cloud.env.sagas.idle()
  const { state, servers } = await cloud.shown(first.body.maintenance.id)
  assert.equal(state, 'done')
  assert.deepEqual(
    servers.map(row => [row.state, row.act, row.reason]),
    ids.map(id => (id === stopped ? ['done', null, 'it is stopped'] : ['done', 'suspend', null])),
  )
  const statuses = () => Promise.all(ids.map(async id => (await cloud.show(cloud.administrator, id)).status))
  assert.deepEqual(await statuses(), ['SUSPENDED', 'SHUTOFF', 'SUSPENDED'])
  assert.equal((await cloud.service('h1')).status, 'disabled')

  await cloud.removeHost('h1')
  await cloud.addHost('h1')
  const second = await cloud.maintain({ kind: 'resume', host: 'h1' })
  await cloud.env.sagas.idle()
  assert.equal((await cloud.shown(second.body.maintenance.id)).state, 'done')
  assert.deepEqual(await statuses(), ['ACTIVE', 'SHUTOFF', 'ACTIVE'])
  assert.equal((await cloud.service('h1')).status, 'enabled')
  const guest = cloud.drivers.h1!.guests.get(ids[0]!)!
  assert.equal(guest.log.split('simulated guest ready').length - 1, 1, 'it did not boot again')
})

test('a suspension that was asked for twice is resumed whole; what users suspend after it is theirs', async () => {
  await using cloud = await stage()
  const [first, second] = (await boot(cloud, 2)) as [string, string]
  const maintained = async (kind: string) => {
    const { body } = await cloud.maintain({ kind, host: 'h1' })
    await cloud.env.sagas.idle()
    return (await cloud.shown(body.maintenance.id)).state
  }
  const statuses = async () => {
    const shown = [await cloud.show(cloud.administrator, first), await cloud.show(cloud.administrator, second)]
    return shown.map(({ status }) => status)
  }
  cloud.drivers.h1!.inject({ method: 'suspend', guest: second, error: 'the disk is full' })
  assert.equal(await maintained('suspend'), 'incomplete')
  assert.deepEqual(await statuses(), ['SUSPENDED', 'ACTIVE'])
  assert.equal(await maintained('suspend'), 'done')
  assert.equal(await maintained('resume'), 'done')
  assert.deepEqual(await statuses(), ['ACTIVE', 'ACTIVE'])

  await cloud.act(first, { suspend: null })
  assert.equal(await maintained('resume'), 'done')
  assert.deepEqual(await statuses(), ['SUSPENDED', 'ACTIVE'])
})

test('a host that an operator has closed stays closed when its servers are resumed, whatever the reason says', async () => {
  await using cloud = await stage()
  await boot(cloud, 1)
  const { id } = await cloud.service('h1')
  const closed = { status: 'disabled', disabled_reason: 'maintenance of the rack' }
  await cloud.api(cloud.administrator, 'PUT', `/os-services/${id}`, closed)
  for (const kind of ['suspend', 'resume']) {
    const { body } = await cloud.maintain({ kind, host: 'h1' })
    await cloud.env.sagas.idle()
    assert.equal((await cloud.shown(body.maintenance.id)).state, 'done')
  }
  assert.equal((await cloud.service('h1')).status, 'disabled')
})

test('a server that is busy is waited for from then on, however long the drain has taken before', async () => {
  const clock = virtualClock()
  const set = ['compute.maintenance.patience_seconds=60']
  await using cloud = await stage({ world: await newWorld(clock), set })
  const ids = await boot(cloud, 3)
  await cloud.addHost('h2')
  cloud.drivers.h1!.inject({ method: 'migrateLive', delayMs: 100_000 })
  const { body } = await cloud.maintain({ kind: 'drain', host: 'h1', together: 1 })
  await clock.advance(90_000)
  const states = async () => (await cloud.shown(body.maintenance.id)).servers.map(row => [row.server_id, row.state])
  const waiting = (await states()).filter(([, state]) => state === 'waiting').map(([id]) => id)
  assert.equal(waiting.length, 2)
  const [long, short] = waiting as [string, string]
  cloud.drivers.h1!.inject(
    { method: 'reboot', guest: long, delayMs: 80_000 },
    { method: 'reboot', guest: short, delayMs: 40_000 },
  )
  for (const id of waiting) await cloud.api(cloud.administrator, 'POST', `/servers/${id}/action`, rebooting)
  await clock.advance(90_000)
  const ended = await cloud.shown(body.maintenance.id)
  const refused = ended.servers.filter(row => row.state !== 'done')
  assert.deepEqual(
    refused.map(row => [row.server_id, row.state, row.reason]),
    [[long, 'refused', 'it is busy with rebooting, and was so for 60 seconds']],
  )
  assert.deepEqual([ended.state, ids.filter(id => cloud.guestHosts(id)[0] === 'h2').length], ['incomplete', 2])
})

test('a host that is down, or unknown, and a caller without rights are refused', async () => {
  await using cloud = await stage()
  assert.equal((await cloud.maintain({ kind: 'drain', host: 'h1' }, cloud.demo)).status, 403)
  assert.equal((await cloud.maintain({ kind: 'drain', host: 'h9' })).status, 404)
  const { id } = await cloud.service('h1')
  await cloud.api(cloud.administrator, 'PUT', `/os-services/${id}`, { forced_down: true })
  const down = await cloud.maintain({ kind: 'drain', host: 'h1' })
  assert.equal(down.body.conflictingRequest?.message, 'Host h1 is down: its servers can only be evacuated.')
  assert.equal((await cloud.api(cloud.administrator, 'GET', '/os-maintenances/none')).status, 404)
})

test('one server that fails as nobody foresaw does not keep the others from moving', async t => {
  await using cloud = await stage()
  const [odd, ...others] = (await boot(cloud, 3)) as [string, string, string]
  await cloud.addHost('h2')
  // What was asked for with it cannot be read any more.
  await cloud.env.database.root
    .updateTable('compute_servers')
    .set({ flavor: '{}' as never })
    .where('id', '=', odd)
    .execute()
  t.mock.method(cloud.env.log, 'error', () => {})
  const { body } = await cloud.maintain({ kind: 'drain', host: 'h1' })
  await cloud.env.sagas.idle()
  const ended = await cloud.shown(body.maintenance.id)
  const rowOf = (id: string) => ended.servers.find(one => one.server_id === id)!
  assert.equal(ended.state, 'incomplete')
  assert.equal(rowOf(odd).state, 'failed')
  assert.match(rowOf(odd).reason!, /^unexpected: /)
  for (const id of others) assert.deepEqual([rowOf(id).state, cloud.guestHosts(id)], ['done', ['h2']])
})

onEachEngine(
  'maintenances are listed page by page, and forgotten in the end but for those that count',
  async database => {
    await using cloud = await stage({ world: await newWorld(undefined, database) })
    const run = async (kind: string) => {
      const { body } = await cloud.maintain({ kind, host: 'h1' })
      await cloud.env.sagas.idle()
      return body.maintenance.id
    }
    const [drained, suspended, resumed, again] = [
      await run('drain'),
      await run('suspend'),
      await run('resume'),
      await run('suspend'),
    ]
    type Page = { maintenances: { id: string }[]; maintenances_links?: { rel: string; href: string }[] }
    const page = async (query: string) =>
      (await cloud.api<Page>(cloud.administrator, 'GET', `/os-maintenances?${query}`)).body
    const first = await page('limit=3')
    assert.deepEqual(
      first.maintenances.map(one => one.id),
      [again, resumed, suspended],
    )
    assert.match(first.maintenances_links![0]!.href, new RegExp(`marker=${suspended}`))
    assert.deepEqual(
      (await page(`limit=3&marker=${suspended}`)).maintenances.map(one => one.id),
      [drained],
    )
    assert.equal((await cloud.api(cloud.administrator, 'GET', '/os-maintenances?marker=none')).status, 400)

    await database.root.updateTable('compute_maintenances').set({ ended_at: '2020-01-01T00:00:00.000Z' }).execute()
    await cloud.reconcile('compute.old-maintenances')
    assert.deepEqual(
      (await page('host=h1')).maintenances.map(one => one.id),
      [again],
      'a resume would want to know of it, and the host is closed for it',
    )
  },
)

const rebooting = { reboot: { type: 'SOFT' } }

/** Kills the process at each place of the sagas of a drain; the next one goes on. */
async function placesOf(world: World, cloud: Awaited<ReturnType<typeof stage>>, probe: (next: SagaProbe) => void) {
  const places = new Set<string>()
  probe(({ saga, seq, at }) => void places.add(`${saga} ${seq} ${at}`))
  await boot(cloud, 1)
  places.clear()
  await cloud.addHost('h2')
  await cloud.maintain({ kind: 'drain', host: 'h1' })
  await cloud.env.sagas.idle()
  assert.equal(world.guests.h1!.size, 0)
  return [...places].filter(place => !place.startsWith('compute.servers.create'))
}

test('a drain goes on after a kill at each of its steps, and of its moves', async () => {
  let probe: SagaProbe = () => {}
  const sagaProbe: SagaProbe = point => probe(point)
  const options = (world: World, hosts: string[]) => ({ world, hosts, sagaProbe })
  const points = await (async () => {
    const world = await newWorld()
    await using cloud = await stage(options(world, ['h1']))
    return await placesOf(world, cloud, next => {
      probe = next
    })
  })()
  assert.ok(points.some(place => place.startsWith('compute.maintenances.carry_out')))
  assert.ok(points.some(place => place.startsWith('compute.servers.live-migration')))
  for (const place of points) {
    probe = () => {}
    const world = await newWorld()
    const first = await stage(options(world, ['h1']))
    const [server] = (await boot(first, 1)) as [string]
    await first.addHost('h2')
    const reached = Promise.withResolvers<void>()
    probe = ({ saga, seq, at }) => {
      if (`${saga} ${seq} ${at}` !== place) return
      reached.resolve()
      return new Promise<never>(() => {})
    }
    const { body } = await first.maintain({ kind: 'drain', host: 'h1' })
    await reached.promise
    await first.kill()
    probe = () => {}
    await using next = await stage(options(world, ['h1', 'h2']))
    await next.begin()
    await next.env.sagas.idle()
    const { state, servers } = await next.shown(body.maintenance.id)
    assert.deepEqual([state, servers.map(row => row.state)], ['done', ['done']], `killed ${place}`)
    assert.deepEqual([next.guestHosts(server), next.asides(server)], [['h2'], []], `killed ${place}`)
    assert.deepEqual(Object.keys(await next.allocated(server)), ['h2'], `killed ${place}`)
  }
})
