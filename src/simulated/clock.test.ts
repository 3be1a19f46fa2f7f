/** Time in a simulated cloud: it stands still, moves by hand, or runs faster. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientOf } from './fixtures/client.ts'
import { startCloud } from './start-cloud.ts'

const building = { kind: 'delay', work: 'compute.servers.create', times: 'every' } as const

test('frozen time stands still, and BUILD to ACTIVE takes exactly what was asked for', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const { now } = await cloud.clock.freeze()
  await cloud.faults.add({ ...building, seconds: 30 })
  const id = await client.createServer('slow')
  await cloud.clock.advance(29.999)
  assert.equal((await client.server(id)).status, 'BUILD')
  await cloud.clock.advance(0.001)
  const server = await client.server(id)
  assert.equal(server.status, 'ACTIVE')
  assert.equal(server['OS-SRV-USG:launched_at'], `${new Date(Date.parse(now) + 30_000).toISOString().slice(0, -1)}000`)
})

test('without a delay a server is ACTIVE in frozen time as well: nothing but time stands still', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const before = await cloud.clock.freeze()
  const id = await client.createServer('instant')
  await client.untilStatus(id, 'ACTIVE')
  assert.equal((await cloud.clock.show()).now, before.now)
})

test('run until idle moves time until all work has ended, and no further', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const { now } = await cloud.clock.freeze()
  await cloud.faults.add({ ...building, seconds: 30 })
  const ids = [await client.createServer('one'), await client.createServer('two')]
  const after = await cloud.clock.runUntilIdle()
  assert.deepEqual(after, { ...after, idle: true, frozen: true, now: new Date(Date.parse(now) + 30_000).toISOString() })
  for (const id of ids) assert.equal((await client.server(id)).status, 'ACTIVE')
  assert.deepEqual((await cloud.clock.runUntilIdle()).now, after.now)
})

test('run until idle says so when work is stuck', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const { now } = await cloud.clock.freeze()
  await cloud.faults.add({ kind: 'stuck', work: 'compute.servers.create' })
  await client.createServer('stuck')
  const after = await cloud.clock.runUntilIdle(60)
  assert.equal(after.idle, false)
  assert.equal(Date.parse(after.now) - Date.parse(now), 60_000)
})

test('time can run faster', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.faults.add({ ...building, seconds: 600 })
  const { speed, frozen } = await cloud.clock.run(10_000)
  assert.deepEqual({ speed, frozen }, { speed: 10_000, frozen: false })
  const id = await client.createServer('soon')
  await client.untilStatus(id, 'ACTIVE')
  const { created, 'OS-SRV-USG:launched_at': launched } = await client.server(id)
  assert.ok(Date.parse(`${launched}Z`) - Date.parse(created) >= 599_000)
})

test('hosts stay up while time moves, and a token ends', async () => {
  await using cloud = await startCloud({ hosts: 3 })
  const client = await clientOf(cloud, 'admin')
  await cloud.clock.freeze()
  await cloud.clock.advance(3600)
  const { services } = await client.get<{ services: { state: string; binary: string }[] }>('/compute/v2.1/os-services')
  assert.ok(services.length > 0 && services.every(one => one.state === 'up'), JSON.stringify(services))
  await cloud.clock.advance(86_400)
  assert.equal((await client.ask('GET', '/compute/v2.1/servers')).status, 401)
})

test('after a reset time is real again', async () => {
  await using cloud = await startCloud()
  await cloud.clock.freeze()
  await cloud.clock.advance(86_400)
  await cloud.reset()
  const { now, frozen } = await cloud.clock.show()
  assert.equal(frozen, false)
  assert.ok(Math.abs(Date.parse(now) - Date.now()) < 3_600_000)
})
