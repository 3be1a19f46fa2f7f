/** Servers and their guests are kept together: what happened on a host by itself is found, and what nobody needs is taken away. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle, virtualClock } from '#kernel/clock.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, nothingHeld, tiny } from './fixtures/world.ts'

async function stage(hosts = ['h1']) {
  const clock = virtualClock()
  const cloud = await serverCloud({ world: await newWorld(clock), hosts })
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  return {
    cloud,
    clock,
    demo,
    server,
    driver: cloud.drivers.h1!,
    shown: async () => {
      const { status, fault, ...now } = await cloud.show(demo, server.id)
      return [status, now['OS-EXT-STS:power_state'], ...(fault ? [fault.message] : [])]
    },
    /** Time for a report of each host. */
    report: () => clock.advance(10_000),
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('a guest that switches itself off makes its server SHUTOFF at once; it can be started again', async () => {
  await using s = await stage()
  s.driver.powerOffGuest(s.server.id)
  await settle(20)
  assert.deepEqual(await s.shown(), ['SHUTOFF', 4])
  await s.cloud.api(s.demo, 'POST', `/servers/${s.server.id}/action`, { 'os-start': null })
  await s.cloud.env.sagas.idle()
  assert.deepEqual(await s.shown(), ['ACTIVE', 1])
})

test('a crash that no message told of is found by the next report', async () => {
  await using s = await stage()
  s.cloud.world.guests.h1!.get(s.server.id)!.power_state = 6
  await s.report()
  assert.deepEqual(await s.shown(), ['SHUTOFF', 6])
})

test('a guest that its hypervisor holds is still the owner’s running server', async () => {
  await using s = await stage()
  s.cloud.world.guests.h1!.get(s.server.id)!.power_state = 3
  await s.report()
  assert.deepEqual(await s.shown(), ['ACTIVE', 3])
})

for (const [action, fails] of [
  [{ rebuild: { imageRef: tiny } }, 'spawn'],
  [{ resize: { flavorRef: '2' } }, 'sendAside'],
] as const) {
  test(`a ${Object.keys(action)} that fails when the guest is gone from its host ends, with an error that says so`, async () => {
    await using s = await stage(['h1', 'h2'])
    for (const [host, guests] of Object.entries(s.cloud.world.guests)) {
      guests.delete(s.server.id)
      s.cloud.drivers[host]!.inject({ method: fails, error: 'no space' })
    }
    assert.equal((await s.cloud.api(s.demo, 'POST', `/servers/${s.server.id}/action`, action)).status, 202)
    await s.cloud.env.sagas.idle()
    await s.report()
    assert.deepEqual(await s.shown(), ['ERROR', 0, 'The guest is not on its host any more.'])
  })
}

test('a guest that vanished is an error that says so, until it is there again', async () => {
  await using s = await stage()
  const guests = s.cloud.world.guests.h1!
  const guest = guests.get(s.server.id)!
  guests.delete(s.server.id)
  await s.report()
  assert.deepEqual(await s.shown(), ['ERROR', 0, 'The guest is not on its host any more.'])
  guests.set(s.server.id, guest)
  await s.report()
  assert.deepEqual(await s.shown(), ['ACTIVE', 1])
})

test('another error stays, whatever the guest does', async () => {
  await using s = await stage()
  const admin = await s.cloud.admin()
  await s.cloud.api(admin, 'POST', `/servers/${s.server.id}/action`, { 'os-resetState': { state: 'error' } })
  await s.report()
  assert.deepEqual(await s.shown(), ['ERROR', 1])
})

test('an old report does not undo an action that came after it', async () => {
  await using s = await stage()
  const { driver } = s
  const list = driver.list.bind(driver)
  const held = Promise.withResolvers<void>()
  driver.list = async () => {
    const found = await list()
    await held.promise
    return found
  }
  await s.report()
  driver.list = list
  await s.cloud.api(s.demo, 'POST', `/servers/${s.server.id}/action`, { 'os-stop': null })
  await s.cloud.env.sagas.idle()
  held.resolve()
  await settle(20)
  assert.deepEqual(await s.shown(), ['SHUTOFF', 4])
})

test('a server is deleted while its host is away; the guest goes when the host is back', async () => {
  await using s = await stage()
  await s.cloud.begin()
  await s.cloud.removeHost('h1')
  await s.cloud.remove(s.demo, s.server.id)
  assert.deepEqual(await s.cloud.held(), { ...nothingHeld, cleanups: 1, guests: 1 })
  await s.cloud.addHost('h1')
  await s.report()
  assert.deepEqual(await s.cloud.held(), nothingHeld)
})

test('a guest of a server that is deleted is destroyed; a guest that nobody knows is left alone', async () => {
  await using s = await stage()
  await s.cloud.begin()
  const guests = s.cloud.world.guests.h1!
  const guest = guests.get(s.server.id)!
  await s.cloud.remove(s.demo, s.server.id)
  guests.set(s.server.id, guest)
  guests.set('foreign', guest)
  await s.report()
  assert.deepEqual([...guests.keys()], ['foreign'])
})

test('a guest of a server that lives on another host is destroyed', async () => {
  await using s = await stage(['h1', 'h2'])
  await s.cloud.begin()
  const { h1, h2 } = s.cloud.world.guests
  const [home, other] = h1!.has(s.server.id) ? [h1!, h2!] : [h2!, h1!]
  other.set(s.server.id, home.get(s.server.id)!)
  await s.report()
  assert.deepEqual([home.size, other.size], [1, 0])
})

test('an action on a server whose host is away ends, and leaves the server as it was', async () => {
  await using s = await stage()
  await s.cloud.removeHost('h1')
  const path = `/servers/${s.server.id}`
  assert.equal((await s.cloud.api(s.demo, 'POST', `${path}/action`, { 'os-stop': null })).status, 202)
  await s.cloud.env.sagas.idle()
  assert.deepEqual(await s.shown(), ['ACTIVE', 1])
  assert.equal((await s.cloud.api(s.demo, 'POST', `${path}/action`, { 'os-getConsoleOutput': {} })).status, 409)
  const admin = await s.cloud.admin()
  assert.equal((await s.cloud.show(admin, s.server.id)).host_status, 'UP')
  await s.clock.advance(120_000)
  assert.equal((await s.cloud.show(admin, s.server.id)).host_status, 'DOWN')
  assert.equal('host_status' in (await s.cloud.show(s.demo, s.server.id)), false)
})

test('a pause that the host did before it failed is taken back; its owner can pause again', async () => {
  await using s = await stage()
  const act = async (body: Record<string, unknown>) => {
    const { status } = await s.cloud.api(s.demo, 'POST', `/servers/${s.server.id}/action`, body)
    await s.cloud.env.sagas.idle()
    await s.report()
    return status
  }
  s.driver.inject({ method: 'pause', error: 'the answer got lost', afterwards: true })
  assert.equal(await act({ pause: null }), 202)
  assert.deepEqual(await s.shown(), ['ACTIVE', 1])
  assert.equal(s.driver.guests.get(s.server.id)?.power_state, 1)
  assert.equal(await act({ pause: null }), 202)
  assert.deepEqual(await s.shown(), ['PAUSED', 3])
})

test('of other power actions that the host did before they failed the server follows its guest', async () => {
  const walks = [
    ['suspend', 'suspend', 'SUSPENDED', 'resume'],
    ['stop', 'os-stop', 'SHUTOFF', 'os-start'],
  ] as const
  for (const [method, action, status, back] of walks) {
    await using s = await stage()
    s.driver.inject({ method, error: 'the answer got lost', afterwards: true })
    for (const [body, expected] of [
      [{ [action]: null }, status],
      [{ [back]: null }, 'ACTIVE'],
    ] as const) {
      const { status: answered } = await s.cloud.api(s.demo, 'POST', `/servers/${s.server.id}/action`, body)
      assert.equal(answered, 202)
      await s.cloud.env.sagas.idle()
      await s.report()
      assert.equal((await s.shown())[0], expected, action)
    }
  }
})

test('ports and allocations of servers that are not there are freed', async () => {
  await using s = await stage()
  const ctx = s.cloud.ctx()
  const { network, placement } = s.cloud.env.services
  const [provider] = Object.keys(await placement.allocationsOf(ctx, s.server.id))
  const gone = { server_id: 'never-was', hostname: 'x', project_id: s.demo.id, availability_zone: 'nova' }
  await network.claimPorts(ctx, gone, [{ network_id: s.cloud.network }], [])
  const consumer = { id: 'never-was', project_id: s.demo.id, user_id: 'u', type: 'INSTANCE' }
  await placement.claim(ctx, consumer, { [provider!]: { VCPU: 1 } })
  const before = await s.cloud.held()
  await s.cloud.reconcile('compute.orphan-claims')
  const after = await s.cloud.held()
  assert.deepEqual([before.ports, after.ports, before.consumers, after.consumers], [2, 1, 2, 1])
  assert.deepEqual(await s.shown(), ['ACTIVE', 1])
})
