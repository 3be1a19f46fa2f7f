import assert from 'node:assert/strict'
import { test } from 'node:test'
import { powerStates } from '../drivers/driver.ts'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'

interface Answer {
  events: { name: string; code: number; status: string }[]
}

test('each event is answered for itself: accepted, unknown server, missing tag, no host', async () => {
  await using cloud = await serverCloud()
  const admin = await cloud.admin()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const tell = (events: unknown, version = 'latest', who = admin) =>
    cloud.api<Answer>(who, 'POST', '/os-server-external-events', { events }, version)
  const nobody = '00000000-0000-4000-8000-000000000001'
  const answer = await tell([
    { name: 'network-changed', server_uuid: id },
    { name: 'network-changed', server_uuid: nobody, status: 'completed' },
    { name: 'volume-extended', server_uuid: id },
  ])
  assert.equal(answer.status, 207)
  assert.deepEqual(
    answer.body.events.map(event => [event.code, event.status]),
    [
      [200, 'completed'],
      [404, 'failed'],
      [400, 'failed'],
    ],
  )
  assert.equal((await tell([{ name: 'network-vif-plugged', server_uuid: id, tag: nobody }])).status, 200)
  for (const [name, version, status] of [
    ['volume-extended', '2.50', 400],
    ['volume-extended', '2.51', 200],
    ['power-update', '2.75', 400],
    ['accelerator-request-bound', '2.82', 200],
    ['volume-reimaged', '2.92', 400],
    ['volume-reimaged', '2.93', 200],
  ] as const)
    assert.equal((await tell([{ name, server_uuid: id, tag: 'x' }], version)).status, status, `${name} at ${version}`)
  assert.equal((await tell([])).status, 400)
  assert.equal((await tell([{ name: 'network-changed', server_uuid: 'x' }])).status, 400)
  assert.equal((await tell([{ name: 'network-changed', server_uuid: id }], 'latest', demo)).status, 403)
})

test('a server without a host cannot be told of anything', async () => {
  await using cloud = await serverCloud({ hosts: [] })
  const { id, status } = await cloud.boot(await cloud.project('p1'))
  assert.equal(status, 'ERROR')
  const events = [{ name: 'network-changed', server_uuid: id }]
  const answer = await cloud.api<Answer>(await cloud.admin(), 'POST', '/os-server-external-events', { events })
  assert.deepEqual([answer.status, answer.body.events[0]!.code], [207, 422])
})

test('a guest loses the interface whose port is gone', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const detached: string[] = []
  const driver = cloud.drivers.h1!
  const { detachNic } = driver
  driver.detachNic = (server, port) => {
    detached.push(port)
    return detachNic(server, port)
  }
  const [port] = (await cloud.env.services.network.portsOf(cloud.ctx(), [id])).get(id)!
  const tell = async (tag: string) => {
    const events = [{ name: 'network-vif-deleted', server_uuid: id, tag }]
    return (await cloud.api(await cloud.admin(), 'POST', '/os-server-external-events', { events })).status
  }
  assert.equal(await tell(port!.id), 200)
  assert.deepEqual(detached, [])
  await cloud.env.services.network.releasePort(cloud.ctx(), id, port!.id)
  assert.equal(await tell(port!.id), 200)
  assert.deepEqual(detached, [port!.id])
})

test('a server is what its guest is when a power-update tells of it', async () => {
  await using cloud = await serverCloud()
  const admin = await cloud.admin()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const driver = cloud.drivers.h1!
  await driver.stop(id, 0)
  assert.equal(await driver.state(id), powerStates.shutdown)
  const events = [{ name: 'power-update', server_uuid: id, tag: 'POWER_OFF' }]
  assert.equal((await cloud.api(admin, 'POST', '/os-server-external-events', { events })).status, 200)
  assert.equal((await cloud.show(demo, id)).status, 'SHUTOFF')
})
