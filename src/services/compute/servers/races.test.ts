/** What is asked for at the same instant: one of them wins, and nothing is left of the other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { ProbePoint } from '#kernel/saga/run.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import type { FakeFault } from '../drivers/fake-faults.ts'
import { type ServerCloud, type ServerCloudOptions, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld, tiny } from './fixtures/world.ts'
import { confirmResized } from './moves/decide.ts'
import { updateMove } from './moves/store.ts'
import { updateServer } from './store.ts'
import { rememberCleanup } from './store-cleanups.ts'

/** The others go as far as they come while a transaction is open: with SQLite they wait for it. */
const aMoment = (cloud: ServerCloud) => cloud.env.clock.sleep(300)

/** Sagas wait at one place: `reached` resolves there, and `goOn` lets them pass. An admin acts on servers meanwhile. */
async function heldAt(here: (point: ProbePoint) => boolean, options: Omit<ServerCloudOptions, 'sagaProbe'> = {}) {
  const [reached, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const cloud = await serverCloud({
    ...options,
    async sagaProbe(point) {
      if (!here(point)) return
      reached.resolve()
      await end.promise
    },
  })
  const [demo, admin, ended] = [await cloud.project('p1'), await cloud.admin(), cloud[Symbol.asyncDispose]]
  return Object.assign(cloud, {
    ...{ demo, admin, reached: reached.promise, goOn: end.resolve },
    async act(id: string, body: object) {
      const { status } = await cloud.api(admin, 'POST', `/servers/${id}/action`, body)
      assert.equal(status, 202, JSON.stringify(body))
    },
    async [Symbol.asyncDispose]() {
      end.resolve()
      await ended.call(cloud)
    },
  })
}

async function sagasOf({ world }: ServerCloud, subject: string): Promise<string[]> {
  const found = await sql<{ saga: string }>`select saga from kernel_sagas where subject = ${subject}`.execute(
    world.database.root,
  )
  return found.rows.map(({ saga }) => saga).sort()
}

onEachEngine('a server that is deleted many times at once is deleted once', async database => {
  await using cloud = await serverCloud({ world: await newWorld(undefined, database) })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const answers = await Promise.all(Array.from({ length: 6 }, () => cloud.api(demo, 'DELETE', `/servers/${id}`)))
  assert.ok(
    answers.every(({ status }) => status === 204 || status === 404),
    JSON.stringify(answers),
  )
  await cloud.env.sagas.idle()
  assert.deepEqual(await sagasOf(cloud, id), ['compute.servers.create', 'compute.servers.delete'])
  assert.deepEqual(await cloud.held(), nothingHeld)
})

onEachEngine('a server that is deleted while its plan is placed leaves no room and no ports', async database => {
  const world = await newWorld(undefined, database)
  await using cloud = await serverCloud({ world, set: ['compute.plans.batch=2'] })
  const demo = await cloud.project('p1')
  const { placement } = cloud.env.services
  const { claimMany } = placement
  const [placing, deleted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  placement.claimMany = async (...args) => {
    placing.resolve()
    await deleted.promise
    await claimMany.apply(placement, args)
  }
  const first = await cloud.ask(demo, { min_count: 3 })
  await placing.promise
  const going = cloud.api(demo, 'DELETE', `/servers/${first}`)
  await aMoment(cloud)
  deleted.resolve()
  assert.equal((await going).status, 204)
  await cloud.env.sagas.idle()
  const { servers, ports, guests, allocations } = await cloud.held()
  assert.deepEqual([servers, ports, guests], [2, 2, 2])
  assert.equal(allocations, 2 * 3)
})

onEachEngine('a resize that is reverted at the instant at which it would be confirmed is reverted', async database => {
  const world = await newWorld(undefined, database)
  await using cloud = await serverCloud({ world, hosts: ['h1', 'h2'] })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const { id } = await cloud.boot(demo)
  await cloud.api(admin, 'POST', `/servers/${id}/action`, { migrate: null })
  await cloud.env.sagas.idle()
  const [move] = await cloud.openMoves(id)
  const before = await cloud.allocated(move!.uuid)
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const reverting = cloud.ctx().transaction(async tx => {
    await updateServer(tx, id, { task_state: 'resize_reverting' }, { vm_state: 'resized', task_state: null })
    await updateMove(tx, move!.uuid, { status: 'reverting' })
    begun.resolve()
    await end.promise
  })
  await begun.promise
  const confirming = confirmResized(cloud.ctx(), move!.uuid, id)
  await aMoment(cloud)
  end.resolve()
  await Promise.all([reverting, confirming])
  assert.equal((await cloud.row(id)).vm_state, 'resized')
  assert.deepEqual(
    (await cloud.openMoves(id)).map(({ status }) => status),
    ['reverting'],
  )
  assert.deepEqual(await cloud.allocated(move!.uuid), before)
})

async function antiAffinity(cloud: ServerCloud, who: { token: string }): Promise<string> {
  const server_group = { name: 'apart', policy: 'anti-affinity' }
  const made = await cloud.api<{ server_group: { id: string } }>(who, 'POST', '/os-server-groups', { server_group })
  return made.body.server_group.id
}

onEachEngine(
  'servers that are to be apart are so when they are asked for at once, and when they move at once',
  async database => {
    const world = await newWorld(undefined, database)
    const hosts = ['h1', 'h2', 'h3', 'h4']
    const slow: FakeFault[] = [{ method: 'migrateLive', call: 'every', delayMs: 200 }]
    const faults = Object.fromEntries(hosts.map(host => [host, slow]))
    await using cloud = await serverCloud({ world, hosts, faults })
    const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
    const group = await antiAffinity(cloud, demo)
    const body = { server: cloud.newServer(), 'os:scheduler_hints': { group } }
    const made = await Promise.all(
      hosts.slice(1).map(() => cloud.api<{ server: { id: string } }>(demo, 'POST', '/servers', body)),
    )
    await cloud.env.sagas.idle()
    const ids = made.map(answer => answer.body.server.id)
    const where = async () => (await Promise.all(ids.map(id => cloud.row(id)))).map(({ host }) => host)
    const before = await where()
    assert.equal(new Set(before).size, 3, `${before}`)
    // One host is left for all of them.
    const migrate = { 'os-migrateLive': { host: null, block_migration: 'auto' } }
    await Promise.all(ids.map(id => cloud.api(admin, 'POST', `/servers/${id}/action`, migrate)))
    await cloud.env.sagas.idle()
    const after = await where()
    assert.equal(new Set(after).size, 3, `${before} became ${after}`)
    assert.notDeepEqual(after, before)
  },
)

test('what is to be cleared away of a server on a host is left alone while the server comes there', async () => {
  await using cloud = await heldAt(({ step, at }) => step.startsWith('migrate to') && at === 'acted', {
    hosts: ['h1', 'h2'],
  })
  const { id } = await cloud.boot(cloud.demo)
  const { host } = await cloud.row(id)
  const target = host === 'h1' ? 'h2' : 'h1'
  const migrate = { 'os-migrateLive': { host: null, block_migration: 'auto' } }
  await cloud.act(id, migrate)
  await cloud.reached
  await rememberCleanup(cloud.ctx(), target, id)
  await cloud.reconcile('compute.host-cleanups')
  cloud.goOn()
  await cloud.env.sagas.idle()
  assert.deepEqual([(await cloud.row(id)).host, cloud.guestHosts(id)], [target, [target]])
})

test('a shelved server whose state was reset while it left its host keeps its room there', async () => {
  await using cloud = await heldAt(
    ({ saga, step, at }) => saga === 'compute.servers.shelveOffload' && step === 'destroy guest' && at === 'acted',
    { set: ['compute.shelved_offload_seconds=-1'] },
  )
  const { id } = await cloud.boot(cloud.demo)
  await cloud.act(id, { shelve: null })
  await cloud.env.sagas.idle()
  const before = await cloud.allocated(id)
  await cloud.act(id, { shelveOffload: null })
  await cloud.reached
  await cloud.act(id, { 'os-resetState': { state: 'error' } })
  cloud.goOn()
  await cloud.env.sagas.idle()
  assert.deepEqual([(await cloud.row(id)).host, await cloud.allocated(id)], ['h1', before])
})

const spawns = ({ step, at }: ProbePoint) => step === 'spawn on h1' && at === 'before'

test('a server whose state was reset while it was built is not built anew elsewhere: its build ends by itself', async () => {
  await using cloud = await heldAt(spawns)
  const { admin } = cloud
  const id = await cloud.ask(cloud.demo)
  await cloud.reached
  await cloud.act(id, { 'os-resetState': { state: 'error' } })
  const { body } = await cloud.api<{ services: { id: string }[] }>(admin, 'GET', '/os-services?host=h1')
  await cloud.api(admin, 'PUT', `/os-services/${body.services[0]!.id}`, { forced_down: true })
  const refused = await cloud.api(admin, 'POST', `/servers/${id}/action`, { evacuate: {} })
  assert.deepEqual([refused.status, JSON.stringify(refused.body).includes('never built')], [409, true])
  cloud.goOn()
  await cloud.env.sagas.idle()
  assert.equal((await cloud.row(id)).host, 'h1')
})

for (const state of ['active', 'error'])
  test(`a server whose state was reset to ${state} while it was built has neither host nor room when that fails`, async () => {
    await using cloud = await heldAt(spawns, { faults: { h1: [{ method: 'spawn', error: 'no' }] } })
    const id = await cloud.ask(cloud.demo)
    await cloud.reached
    await cloud.act(id, { 'os-resetState': { state } })
    await cloud.act(id, { rebuild: { imageRef: tiny } })
    cloud.goOn()
    await cloud.env.sagas.idle()
    const { host, vm_state, task_state, fault } = await cloud.row(id)
    assert.deepEqual([host, vm_state, task_state], [null, 'error', null])
    assert.match(fault?.message ?? '', /aborted: no$/)
    const { allocations, ports, guests, cleanups } = await cloud.held()
    assert.deepEqual([allocations, ports, guests, cleanups], [0, 0, 0, 0])
    type Actions = { instanceActions: { action: string; message: string | null }[] }
    const { body } = await cloud.api<Actions>(cloud.admin, 'GET', `/servers/${id}/os-instance-actions`)
    assert.equal(
      body.instanceActions.find(({ action }) => action === 'rebuild')?.message,
      'Error',
      'it was not rebuilt',
    )
  })

for (const reverted of [true, false])
  test(`a server whose state was reset while its resize was reverted is where its guest is when that ${reverted ? 'is done' : 'fails'}`, async () => {
    await using cloud = await heldAt(({ step, at }) => step.startsWith('leave') && at === 'before', {
      hosts: ['h1', 'h2'],
      set: ['compute.allow_resize_to_same_host=false'],
    })
    const { id } = await cloud.boot(cloud.demo)
    const source = (await cloud.row(id)).host!
    await cloud.act(id, { resize: { flavorRef: '84' } })
    await cloud.env.sagas.idle()
    const target = (await cloud.row(id)).host!
    await cloud.act(id, { revertResize: null })
    await cloud.reached
    await cloud.act(id, { 'os-resetState': { state: 'error' } })
    if (!reverted) await cloud.removeHost(source)
    cloud.goOn()
    await cloud.env.sagas.idle()
    const [there, memory] = reverted ? [source, 128] : [target, 192]
    const { host, vm_state, task_state, memory_mb } = await cloud.row(id)
    assert.deepEqual([host, vm_state, task_state, memory_mb], [there, 'error', null, memory])
    assert.deepEqual([await cloud.portHosts(id), cloud.guestHosts(id)], [[there], [there]])
    const { [there]: room, ...others } = await cloud.allocated(id)
    assert.deepEqual([room?.MEMORY_MB, others, await cloud.openMoves(id)], [memory, {}, []])
    assert.equal((await cloud.held()).consumers, 1)
  })
