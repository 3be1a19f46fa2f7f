/** A scheduler or driver that is slow or away holds up nobody else, and is asked again (S-093, S-110). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { Conflict } from '#kernel/errors.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { GuestError } from '../drivers/driver.ts'
import type { FakeFault } from '../drivers/fake-faults.ts'
import type { Choice, Driver } from '../scheduler/extensions.ts'
import { settings, weights } from '../scheduler/fixtures/snapshot.ts'
import { serveScheduler } from '../scheduler-process.ts'
import { type ServerCloud, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld, type World } from './fixtures/world.ts'

const remote = (world: World, more: Parameters<typeof serverCloud>[0] = {}) =>
  serverCloud({ world, hosts: ['h1', 'h2'], set: ['compute.scheduler.remote=true'], ...more })

const choosing = (cloud: ServerCloud, choose: Driver['choose']) => {
  const common = { settings, filters: [], weights: weights({}), random: () => 0.5 }
  return serveScheduler(cloud.env.bus, { ...common, driver: { choose } })
}

const any: Driver['choose'] = (_, hosts) => ({ hosts: hosts.map(({ host }) => host) })

onEachEngine('while a scheduler hangs others go on, and it is asked again: the server is built', async database => {
  const clock = virtualClock()
  await using cloud = await remote(await newWorld(clock, database))
  const demo = await cloud.project('p1')
  const [asked, hung] = [Promise.withResolvers<void>(), Promise.withResolvers<Choice>()]
  let times = 0
  await using _scheduler = choosing(cloud, (...about) => {
    if (++times > 1) return any(...about)
    asked.resolve()
    return hung.promise
  })
  using _end = { [Symbol.dispose]: () => hung.resolve({ hosts: [] }) }
  const made = cloud.ask(demo, { min_count: 3 })
  await asked.promise
  const keypair = {
    name: 'mine',
    public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGnWGn4TzBQFnlDwMHrFNCuPtVQeLm9NYSJ9nhVYPTEP me',
  }
  assert.equal((await cloud.api(demo, 'POST', '/os-keypairs', { keypair })).status, 201)
  await clock.advance(5_000)
  await made
  await cloud.env.sagas.idle()
  const { servers } = (await cloud.api<{ servers: { id: string; status: string }[] }>(demo, 'GET', '/servers/detail'))
    .body
  assert.deepEqual(
    servers.map(({ status }) => status),
    ['ACTIVE', 'ACTIVE', 'ACTIVE'],
  )
  assert.equal(times, 4, 'once in vain, and once for each server')
  for (const server of servers) await cloud.remove(demo, server.id)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

test('who wants all or nothing is told that the scheduler is away, and nothing is left', async () => {
  await using cloud = await remote(await newWorld())
  const demo = await cloud.project('p1')
  const body = { server: cloud.newServer({ min_count: 2 }), 'os:scheduler_hints': { all_or_nothing: 'true' } }
  const refused = await cloud.api(demo, 'POST', '/servers', body)
  assert.equal(refused.status, 503)
  assert.match(JSON.stringify(refused.body), /scheduler does not answer/)
  assert.deepEqual(await cloud.held(), nothingHeld)
})

test('a server that moves, and one whose host could not build it, wait for a scheduler that is away', async () => {
  const clock = virtualClock()
  const away = Promise.withResolvers<void>()
  const faults: Record<string, FakeFault[]> = {
    h1: [{ method: 'spawn', error: new GuestError('no', { retryElsewhere: true }) }],
  }
  await using cloud = await remote(await newWorld(clock), {
    faults,
    sagaProbe: ({ step, at }) => (at === 'before' && step === 'clean up h1' ? away.promise : undefined),
  })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const first: Driver['choose'] = (_, hosts) => ({ hosts: hosts.map(({ host }) => host).sort() })
  let id: string
  {
    await using _scheduler = choosing(cloud, first)
    id = await cloud.ask(demo)
  }
  away.resolve()
  await clock.advance(90_000)
  assert.equal((await cloud.show(demo, id)).status, 'BUILD')
  {
    await using _scheduler = choosing(cloud, first)
    await clock.advance(2_000)
    await cloud.env.sagas.idle()
  }
  assert.deepEqual([(await cloud.show(demo, id)).status, cloud.guestHosts(id)], ['ACTIVE', ['h2']])

  const migrate = () => cloud.api(admin, 'POST', `/servers/${id}/action`, { migrate: null })
  assert.equal((await migrate()).status, 202)
  await clock.advance(30_000)
  assert.equal((await cloud.show(demo, id)).status, 'RESIZE')
  {
    await using _scheduler = choosing(cloud, first)
    await clock.advance(2_000)
    await cloud.env.sagas.idle()
  }
  assert.equal((await cloud.show(demo, id)).status, 'VERIFY_RESIZE')
  await cloud.api(demo, 'POST', `/servers/${id}/action`, { confirmResize: null })
  await cloud.env.sagas.idle()

  assert.equal((await migrate()).status, 202)
  await clock.advance(90_000)
  await cloud.env.sagas.idle()
  const { status, fault } = await cloud.show(admin, id)
  assert.equal(status, 'ACTIVE', 'it stays where it is')
  assert.equal(fault, undefined)
})

test('a driver whose choices are always taken is asked some times, and no more', async t => {
  const hosts = Array.from({ length: 10 }, (_, n) => `h${n}`)
  await using cloud = await remote(await newWorld(), { hosts })
  const demo = await cloud.project('p1')
  t.mock.method(cloud.env.services.placement, 'claim', () => Promise.reject(new Conflict('taken')))
  let times = 0
  await using _scheduler = choosing(cloud, (_, left) => {
    times++
    return { hosts: [left[0]!.host] }
  })
  const { status, fault } = await cloud.boot(demo)
  assert.deepEqual([status, times], ['ERROR', 8])
  assert.match(fault.message, /refused by SchedulerDriver/)
})
