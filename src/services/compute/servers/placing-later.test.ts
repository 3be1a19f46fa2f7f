/** A build request is kept from the answer on: while no scheduler is there, servers are shown and deleted, and built when it is back (S-110, S-111). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { systemClock, virtualClock } from '#kernel/clock.ts'
import type { SagaProbe } from '#kernel/saga/run.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { settings, weights } from '../scheduler/fixtures/snapshot.ts'
import { serveScheduler } from '../scheduler-process.ts'
import { type ServerCloud, type ShownServer, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld, type World } from './fixtures/world.ts'

const remote = (world: World, more: string[] = [], sagaProbe: SagaProbe = () => {}) =>
  serverCloud({ world, hosts: ['h1', 'h2'], set: ['compute.scheduler.remote=true', ...more], sagaProbe })

const scheduler = (cloud: ServerCloud) =>
  serveScheduler(cloud.env.bus, { settings, filters: [], weights: weights({}), random: () => 0.5 })

/** The server's cell, and whether a build request is kept of it. */
async function mapped({ world }: ServerCloud, id: string): Promise<[cell: string | null, asked: boolean]> {
  const found = await sql<{ cell: string | null; asked: string | null }>`
    select cell, r.server_id as asked from compute_server_mappings m
    left join compute_build_requests r on r.server_id = m.server_id where m.server_id = ${id}`.execute(
    world.database.root,
  )
  return [found.rows[0]!.cell, found.rows[0]!.asked !== null]
}

onEachEngine('a server is there while the scheduler is away; deleted then, it is never built', async database => {
  await using cloud = await remote(await newWorld(undefined, database))
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const deleted = await cloud.ask(demo)
  await cloud.ask(demo, { min_count: 2 })
  const shown = await cloud.show(admin, deleted)
  assert.deepEqual(
    [shown.status, shown['OS-EXT-STS:task_state'], shown['OS-EXT-SRV-ATTR:host']],
    ['BUILD', 'scheduling', null],
  )
  assert.deepEqual(await mapped(cloud, deleted), [null, true])
  const why = await cloud.api(admin, 'GET', `/servers/${deleted}/nephos-explain`)
  assert.match(JSON.stringify(why.body), /is not placed yet/)
  type Cells = { cell_mappings: { name: string | null; servers: number }[] }
  const cells = await cloud.api<Cells>(admin, 'GET', '/os-cell-mappings')
  assert.deepEqual(cells.body.cell_mappings.at(-1), { name: null, servers: 3 })
  assert.equal((await cloud.api(demo, 'DELETE', `/servers/${deleted}`)).status, 204)
  while ((await cloud.api(demo, 'GET', `/servers/${deleted}`)).status !== 404) await systemClock().sleep(10)

  await using _scheduler = scheduler(cloud)
  await cloud.env.sagas.idle()
  const { servers } = (await cloud.api<{ servers: { id: string; status: string }[] }>(demo, 'GET', '/servers/detail'))
    .body
  assert.deepEqual(
    servers.map(server => server.status),
    ['ACTIVE', 'ACTIVE'],
  )
  for (const { id } of servers) assert.deepEqual(await mapped(cloud, id), ['cell1', false])
  assert.deepEqual([cloud.guestHosts(deleted), (await cloud.held()).guests], [[], 2])
  for (const { id } of servers) await cloud.remove(demo, id)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

test('a cloud that is killed meanwhile goes on waiting, and gives up in the end', async () => {
  const clock = virtualClock()
  const world = await newWorld(clock)
  const before = await remote(world, ['compute.build_timeout_seconds=60'])
  const demo = await before.project('p1')
  const id = await before.ask(demo)
  await before.kill()
  await using cloud = await remote(world, ['compute.build_timeout_seconds=60'])
  await cloud.begin()
  await clock.advance(30_000)
  assert.equal((await cloud.show(demo, id)).status, 'BUILD')
  await clock.advance(40_000)
  await cloud.env.sagas.idle()
  const { status, fault } = await cloud.show(demo, id)
  assert.equal(status, 'ERROR')
  assert.match(fault.message, /^No valid host was found\. No scheduler was there/)
  assert.deepEqual(await mapped(cloud, id), ['cell0', false])
  await cloud.remove(demo, id)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

onEachEngine('servers of a plan have no cell until their batch is placed', async database => {
  const met = Promise.withResolvers<void>()
  await using cloud = await serverCloud({
    world: await newWorld(undefined, database),
    memoryMb: 1024,
    set: ['compute.plans.batch=2'],
    sagaProbe: ({ step, at }) => (at === 'before' && step === 'place 1-2' ? met.promise : undefined),
  })
  const demo = await cloud.project('p1')
  const id = await cloud.ask(demo, { min_count: 3 })
  assert.deepEqual(await mapped(cloud, id), [null, true])
  met.resolve()
  await cloud.env.sagas.idle()
  assert.deepEqual(await mapped(cloud, id), ['cell1', false])
  const tooLarge = await cloud.ask(demo, { min_count: 3, flavorRef: '3' })
  await cloud.env.sagas.idle()
  assert.equal((await cloud.show(demo, tooLarge)).status, 'ERROR')
  assert.deepEqual(await mapped(cloud, tooLarge), ['cell0', false])
})

test('a kill at every step of placing later loses none of its servers, and makes none twice', async () => {
  const points = ['before place', 'acted place', 'journaled place', 'before build', 'journaled build']
  for (const where of points) {
    const world = await newWorld()
    const reached = Promise.withResolvers<void>()
    const before = await remote(world, [], point => {
      if (point.saga !== 'compute.servers.place' || `${point.at} ${point.step}` !== `${where} 1-2`) return
      reached.resolve()
      return new Promise<never>(() => {})
    })
    const demo = await before.project('p1')
    await before.ask(demo, { min_count: 2 })
    {
      await using _scheduler = scheduler(before)
      await reached.promise
    }
    await before.kill()
    await using cloud = await remote(world)
    await using _scheduler = scheduler(cloud)
    await cloud.begin()
    await cloud.env.sagas.idle()
    const { servers, ports, guests, buildRequests } = await cloud.held()
    assert.deepEqual({ servers, ports, guests, buildRequests }, { servers: 2, ports: 2, guests: 2, buildRequests: 0 })
    const shown = await cloud.api<{ servers: ShownServer[] }>(demo, 'GET', '/servers/detail')
    assert.deepEqual(
      shown.body.servers.map(({ status }) => status),
      ['ACTIVE', 'ACTIVE'],
      where,
    )
  }
})
