/** The cloud as a whole: filled, snapshot and restored, and what a test may claim of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Client, clientOf } from './fixtures/client.ts'
import { startCloud } from './start-cloud.ts'

test('a cloud comes filled, as its own APIs fill it, and a reset fills it again', async () => {
  await using cloud = await startCloud({ hosts: 3, preset: { projects: 2, servers: 7 } })
  const admin = await clientOf(cloud, 'admin')
  const all = async () =>
    (await admin.get<{ servers: { status: string }[] }>('/compute/v2.1/servers/detail?all_tenants=1')).servers
  const seen = await all()
  assert.equal(seen.length, 7)
  assert.ok(seen.every(server => server.status === 'ACTIVE'))
  const user = await clientOf(cloud, 'project-2')
  const own = await user.servers()
  assert.equal(own.length, 4)
  await user.createServer('more', 'project-2')
  await cloud.assertions.require('sound')
  await cloud.reset()
  assert.deepEqual((await clientOf(cloud, 'project-2').then(again => again.servers())).sort(), own.sort())
  const { hosts, projects } = await cloud.fill({ hosts: 2, projects: 1, servers: 3 })
  assert.deepEqual(hosts, ['host-4', 'host-5'])
  assert.deepEqual(
    projects.map(({ name, servers }) => ({ name, servers })),
    [{ name: 'project-3', servers: 3 }],
  )
  assert.equal((await all()).length, 10)
})

test('a server that was evacuated contradicts nothing while its old host has yet to clean up, nor afterwards', async () => {
  await using cloud = await startCloud({ hosts: 2 })
  const admin = await clientOf(cloud, 'admin')
  const client = await clientOf(cloud)
  await cloud.clock.freeze()
  const id = await client.createServer('moved')
  await client.untilStatus(id, 'ACTIVE')
  const at = async () =>
    (await admin.get<{ server: Record<string, string> }>(`/compute/v2.1/servers/${id}`)).server['OS-EXT-SRV-ATTR:host']!
  const from = await at()
  const down = { host: from, binary: 'nova-compute', forced_down: true }
  const old = { 'openstack-api-version': 'compute 2.11' }
  assert.equal((await admin.ask('PUT', '/compute/v2.1/os-services/force-down', down, old)).status, 200)
  assert.equal((await admin.ask('POST', `/compute/v2.1/servers/${id}/action`, { evacuate: {} })).status, 200)
  await cloud.clock.runUntilIdle()
  assert.notEqual(await at(), from)
  await cloud.assertions.require('sound')
  await cloud.clock.advance(600)
  await cloud.assertions.require('sound')
})

test('a host that fails in the middle of a move leaves nothing that contradicts itself, at no instant', async () => {
  await using cloud = await startCloud({ hosts: 2 })
  const admin = await clientOf(cloud, 'admin')
  const client = await clientOf(cloud)
  const id = await client.createServer('moved')
  await client.untilStatus(id, 'ACTIVE')
  const { server } = await admin.get<{ server: Record<string, string> }>(`/compute/v2.1/servers/${id}`)
  const stuck = await cloud.faults.add({ kind: 'stuck', work: 'compute.servers.live-migration', step: 'migrate to *' })
  const move = { 'os-migrateLive': { host: null, block_migration: 'auto' } }
  assert.equal((await admin.ask('POST', `/compute/v2.1/servers/${id}/action`, move)).status, 202)
  while ((await cloud.faults.show(stuck.id)).hits === 0) await setImmediate()
  await cloud.hosts.leave(server['OS-EXT-SRV-ATTR:host']!, { guests: 'die' })
  await cloud.faults.clear()
  const resting = async () => (await cloud.assertions.check({ name: 'at-rest' }))[0]!.holds
  while (!(await resting())) await setImmediate()
  await cloud.assertions.require('sound')
})

async function upload(client: Client, bytes: Buffer): Promise<string> {
  const image = { name: 'mine', disk_format: 'raw', container_format: 'bare' }
  const { body } = await client.ask<{ id: string }>('POST', '/image/v2/images', image)
  const answer = await fetch(`${client.url}/image/v2/images/${body.id}/file`, {
    method: 'PUT',
    headers: { 'x-auth-token': client.token, 'content-type': 'application/octet-stream' },
    body: bytes,
  })
  assert.equal(answer.status, 204)
  return body.id
}

test('a snapshot is one file, and another cloud goes on from it: servers, guests, bytes and time', async () => {
  await using one = await startCloud({ hosts: 2 })
  const client = await clientOf(one)
  const id = await client.createServer('kept')
  await client.untilStatus(id, 'ACTIVE')
  const image = await upload(client, Buffer.from('the bytes of an image'))
  await one.clock.freeze()
  const { now } = await one.clock.advance(1000)
  const file = await one.snapshot()
  assert.equal(Buffer.from(file).subarray(0, 15).toString(), 'SQLite format 3')

  await using other = await startCloud({ snapshot: file })
  await other.assertions.require('sound')
  const again = await clientOf(other)
  assert.deepEqual(await again.servers(), ['kept'])
  assert.equal((await again.server(id)).status, 'ACTIVE')
  const bytes = await fetch(`${other.url}/image/v2/images/${image}/file`, { headers: { 'x-auth-token': again.token } })
  assert.equal(await bytes.text(), 'the bytes of an image')
  const clock = await other.clock.show()
  assert.deepEqual({ now: clock.now, frozen: clock.frozen }, { now, frozen: true })
  await other.assertions.require('sound')
  assert.equal(
    (await again.ask('POST', `/compute/v2.1/servers/${id}/action`, { reboot: { type: 'HARD' } })).status,
    202,
  )
  await again.untilStatus(id, 'ACTIVE')

  await client.ask('DELETE', `/compute/v2.1/servers/${id}`)
  await client.ask('DELETE', `/image/v2/images/${image}`)
  await one.restore(file)
  assert.deepEqual(await client.servers(), ['kept'])
  await one.assertions.require('sound')
  await one.assertions.require('nothing-left')
})

test('what is no snapshot changes nothing', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await client.createServer('here')
  await assert.rejects(cloud.restore(Buffer.from('nonsense')), /This is no snapshot/)
  const answer = await fetch(`${cloud.url}/_nephos/snapshot`, { method: 'PUT', body: Buffer.alloc(5000, 7) })
  assert.equal(answer.status, 400)
  assert.deepEqual(await client.servers(), ['here'])
})

test('what a test leaves behind is named; what was there before, and what others have, does not count', async () => {
  await using cloud = await startCloud({ preset: { projects: 1 } })
  await cloud.assertions.require('nothing-left')
  const client = await clientOf(cloud)
  const id = await client.createServer('forgotten')
  await client.untilStatus(id, 'ACTIVE')
  await assert.rejects(cloud.assertions.require('nothing-left'), new RegExp(`server "forgotten" ${id}`))
  await cloud.assertions.require('nothing-left', { project: 'project-1' })
  await assert.rejects(cloud.assertions.require('nothing-left', { project: 'demo' }))
  await cloud.assertions.require('no-leaked-ports')
  const { networks } = await client.get<{ networks: { id: string; name: string }[] }>('/network/v2.0/networks')
  const network_id = networks.find(({ name }) => name === 'private')!.id
  await client.ask('POST', '/network/v2.0/ports', { port: { network_id, name: 'lost' } })
  await assert.rejects(cloud.assertions.require('no-leaked-ports'), /port "lost"/)
})

test('a server that was deleted leaves nothing', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const id = await client.createServer('short')
  await client.untilStatus(id, 'ACTIVE')
  assert.equal((await client.ask('DELETE', `/compute/v2.1/servers/${id}`)).status, 204)
  await cloud.clock.runUntilIdle()
  for (const { name, holds, problems } of await cloud.assertions.check())
    assert.ok(holds, `${name}: ${JSON.stringify(problems)}`)
})

test('errors and work under way are found, by HTTP as well', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const claim = (name: string) => fetch(`${cloud.url}/_nephos/assertions/${name}`)
  await cloud.faults.add({ kind: 'stuck', work: 'compute.servers.create' })
  await client.createServer('stuck')
  assert.equal((await claim('at-rest')).status, 409)
  assert.equal((await claim('no-errors')).status, 204)
  await cloud.faults.clear()
  await cloud.clock.runUntilIdle()
  assert.equal((await claim('at-rest')).status, 204)
  await cloud.faults.add({ kind: 'no-valid-host' })
  await client.createServer('homeless')
  const refused = await claim('no-errors')
  assert.equal(refused.status, 409)
  assert.match(await refused.text(), /server \\"homeless\\".*No valid host/)
  assert.equal((await claim('no-error')).status, 404)
})
