/** Hosts of a simulated cloud that go away, with their guests or without, and come back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault, TestCloud } from './controls.ts'
import { type Client, clientOf, type ServerView } from './fixtures/client.ts'
import { startCloud } from './start-cloud.ts'

interface ServiceView {
  host: string
  state: string
}

async function statesOf(client: Client): Promise<Record<string, string>> {
  const { services } = await client.get<{ services: ServiceView[] }>('/compute/v2.1/os-services?binary=nova-compute')
  return Object.fromEntries(services.map(({ host, state }) => [host, state]))
}

/** A cloud of three hosts in frozen time, and two servers: one on host-1, one elsewhere. */
async function story(settings: string[] = []) {
  const cloud = await startCloud({ hosts: 3, settings })
  const admin = await clientOf(cloud, 'admin')
  await cloud.clock.freeze()
  async function serverOn(host: string, more: object = {}): Promise<string> {
    const { server } = await admin.serverBody(`on-${host}`)
    const body = { server: { ...server, host, ...more } }
    const answer = await admin.ask<{ server: { id: string } }>('POST', '/compute/v2.1/servers', body)
    assert.equal(answer.status, 202, JSON.stringify(answer.body))
    await admin.untilStatus(answer.body.server.id, 'ACTIVE')
    return answer.body.server.id
  }
  /** Until a fault has hit. */
  async function met({ id }: Fault): Promise<void> {
    while ((await cloud.faults.show(id)).hits === 0) await new Promise(setImmediate)
  }
  return { cloud, admin, serverOn, met, [Symbol.asyncDispose]: () => cloud.stop() }
}

const hostIn = (server: ServerView) => server['OS-EXT-SRV-ATTR:host'] ?? ''

const sound = (cloud: TestCloud) => cloud.assertions.require('sound')

test('a host that is away is down after a minute, others are not, and is up as soon as it is back', async () => {
  await using s = await story()
  const { cloud, admin } = s
  const id = await s.serverOn('host-1')
  assert.deepEqual(await cloud.hosts.leave('host-1'), { name: 'host-1', away: true, guests: 1 })
  await cloud.clock.advance(45)
  assert.deepEqual(await statesOf(admin), { 'host-1': 'up', 'host-2': 'up', 'host-3': 'up' })
  await cloud.clock.advance(30)
  assert.deepEqual(await statesOf(admin), { 'host-1': 'down', 'host-2': 'up', 'host-3': 'up' })
  assert.equal((await admin.server(id)).status, 'ACTIVE', 'nobody knows better')
  await sound(cloud)
  assert.deepEqual(await cloud.hosts.return('host-1'), { name: 'host-1', away: false, guests: 1 })
  assert.deepEqual((await statesOf(admin))['host-1'], 'up')
  assert.equal((await admin.server(id)).status, 'ACTIVE', 'its guest lived on')
  await sound(cloud)
})

test('guests that died with their host are off once it is back', async () => {
  await using s = await story()
  const id = await s.serverOn('host-1')
  await s.cloud.hosts.leave('host-1', { guests: 'die' })
  assert.equal((await s.admin.server(id)).status, 'ACTIVE')
  await s.cloud.hosts.return('host-1')
  await s.cloud.clock.advance(10)
  assert.equal((await s.admin.server(id)).status, 'SHUTOFF')
  await sound(s.cloud)
})

test('a host that left with its guests alive may lose its power later', async () => {
  await using s = await story()
  const id = await s.serverOn('host-1')
  await s.cloud.hosts.leave('host-1')
  await s.cloud.hosts.leave('host-1', { guests: 'die' })
  await s.cloud.hosts.return('host-1')
  await s.cloud.clock.advance(10)
  assert.equal((await s.admin.server(id)).status, 'SHUTOFF')
})

test('what a host was doing when it left is never done: another host takes the server', async () => {
  await using s = await story()
  const { cloud, admin } = s
  const stuck = await cloud.faults.add({ kind: 'stuck', work: 'compute.servers.create', step: 'spawn on *' })
  const { server } = await admin.serverBody('meanwhile')
  const answer = await admin.ask<{ server: { id: string } }>('POST', '/compute/v2.1/servers', { server })
  const { id } = answer.body.server
  await s.met(stuck)
  const host = hostIn(await admin.server(id))
  await cloud.hosts.leave(host, { guests: 'die' })
  await cloud.faults.remove(stuck.id)
  assert.ok((await cloud.clock.runUntilIdle()).idle)
  const after = await admin.server(id)
  assert.equal(after.status, 'ACTIVE')
  assert.notEqual(hostIn(after), host)
  await sound(cloud)
  await cloud.hosts.return(host)
  await cloud.clock.advance(60)
  assert.equal((await cloud.hosts.show(host)).guests, 0)
  await sound(cloud)
})

test('the time that is moved while a host is away is lived through: its marked servers come back elsewhere, the others stay', async () => {
  await using s = await story(['compute.high_availability.after_seconds=60'])
  const { cloud, admin } = s
  const marked = await s.serverOn('host-1', { metadata: { HA_Enabled: 'True' } })
  const plain = await s.serverOn('host-1')
  await cloud.hosts.leave('host-1', { guests: 'die' })
  await cloud.clock.advance(150)
  const [back, stayed] = [await admin.server(marked), await admin.server(plain)]
  assert.deepEqual([back.status, stayed.status], ['ACTIVE', 'ACTIVE'])
  assert.notEqual(hostIn(back), 'host-1')
  assert.equal(hostIn(stayed), 'host-1')
  await sound(cloud)
  await cloud.hosts.return('host-1')
  await cloud.clock.advance(130)
  assert.deepEqual(await cloud.hosts.show('host-1'), { name: 'host-1', away: false, guests: 1 })
  assert.equal((await admin.server(plain)).status, 'SHUTOFF')
  await sound(cloud)
})

test('an evacuation whose target goes away, too, leaves the server where it was; nothing contradicts that meanwhile', async () => {
  await using s = await story()
  const { cloud, admin } = s
  const id = await s.serverOn('host-1')
  await cloud.hosts.leave('host-1')
  await cloud.clock.advance(90)
  const stuck = await cloud.faults.add({ kind: 'stuck', work: 'compute.servers.evacuate', step: 'spawn on *' })
  await admin.ask('POST', `/compute/v2.1/servers/${id}/action`, { evacuate: { host: 'host-2' } })
  await s.met(stuck)
  await cloud.hosts.leave('host-2', { guests: 'die' })
  await cloud.faults.remove(stuck.id)
  assert.ok((await cloud.clock.runUntilIdle()).idle)
  await cloud.hosts.return('host-2')
  assert.deepEqual([(await admin.server(id)).status, hostIn(await admin.server(id))], ['ACTIVE', 'host-1'])
  await sound(cloud)
  await cloud.hosts.return('host-1')
  await cloud.clock.advance(60)
  assert.deepEqual(
    (await cloud.hosts.list()).map(({ guests }) => guests),
    [1, 0, 0],
  )
  await sound(cloud)
})

test('a snapshot keeps who is away, into another cloud too; after a reset all are back', async () => {
  await using s = await story()
  const id = await s.serverOn('host-1')
  await s.serverOn('host-2')
  await s.cloud.hosts.leave('host-1', { guests: 'die' })
  const away = [
    { name: 'host-1', away: true, guests: 1 },
    { name: 'host-2', away: false, guests: 1 },
    { name: 'host-3', away: false, guests: 0 },
  ]
  assert.deepEqual(await s.cloud.hosts.list(), away)
  const snapshot = await s.cloud.snapshot()
  await s.cloud.reset()
  assert.deepEqual(
    await s.cloud.hosts.list(),
    away.map(host => ({ ...host, away: false, guests: 0 })),
  )
  await using other = await startCloud({ snapshot })
  assert.deepEqual(await other.hosts.list(), away)
  await other.hosts.return('host-1')
  await other.clock.advance(10)
  assert.equal((await (await clientOf(other, 'admin')).server(id)).status, 'SHUTOFF')
})

test('hosts that are there already, or away already, are told so again; of one that is not known the name is given', async () => {
  await using s = await story()
  assert.equal((await s.cloud.hosts.return('host-2')).away, false)
  await s.cloud.hosts.leave('host-2')
  assert.equal((await s.cloud.hosts.leave('host-2')).away, true)
  await assert.rejects(s.cloud.hosts.leave('host-9'), /There is no host host-9. Did you mean "host-/)
})

test('by HTTP', async () => {
  await using s = await story()
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json' }
    const sent = body && { headers, body: JSON.stringify(body) }
    const answer = await fetch(`${s.cloud.url}/_nephos/hosts${path}`, { method, ...sent })
    return { status: answer.status, body: (await answer.json()) as unknown }
  }
  const host = { name: 'host-1', away: true, guests: 0 }
  assert.deepEqual(await ask('POST', '/host-1/leave', { guests: 'die' }), { status: 200, body: { host } })
  assert.deepEqual(await ask('GET', '/host-1'), { status: 200, body: { host } })
  assert.deepEqual(await ask('POST', '/host-1/return'), { status: 200, body: { host: { ...host, away: false } } })
  assert.deepEqual(await ask('POST', '/host-1/leave', {}), { status: 200, body: { host } })
  assert.equal((await ask('POST', '/host-7/leave', {})).status, 404)
  assert.equal((await ask('POST', '/host-1/leave', { guests: 'sleep' })).status, 400)
})
