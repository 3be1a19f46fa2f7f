/** A cloud in the process of a test: there at once, alone, and as new after a reset. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import type { TestCloud } from './controls.ts'
import { clientOf } from './fixtures/client.ts'
import { startCloud } from './start-cloud.ts'

test('a server can be made at once, and is gone after a reset', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const id = await client.createServer('first')
  await client.untilStatus(id, 'ACTIVE')
  await cloud.reset()
  const again = await clientOf(cloud)
  assert.deepEqual(await again.servers(), [])
  const second = await again.createServer('second')
  await again.untilStatus(second, 'ACTIVE')
})

test('its hosts have NUMA cells and devices when they are told to', async () => {
  const settings = ['numa_cells=2', 'devices=8086:1563'].map(each => `compute.simulated.${each}`)
  const device_spec = 'compute.pci.device_spec=[\'{"vendor_id": "8086"}\']'
  await using cloud = await startCloud({ settings: [...settings, device_spec] })
  const admin = await clientOf(cloud, 'admin')
  const path = '/placement/resource_providers'
  const { resource_providers: found } = await admin.get<{ resource_providers: { name: string }[] }>(path)
  assert.deepEqual(found.map(({ name }) => name).sort(), [
    ...['host-1', 'host-1_0000:81:00.0', 'host-1_NUMA0', 'host-1_NUMA1'],
  ])
})

test('what a client learned before a reset is still true after it', async () => {
  await using cloud = await startCloud({ hosts: 2 })
  const client = await clientOf(cloud)
  const before = await client.get('/network/v2.0/networks')
  const image = await client.get('/image/v2/images')
  await cloud.reset()
  assert.deepEqual(await client.get('/network/v2.0/networks'), before)
  assert.deepEqual(await client.get('/image/v2/images'), image)
})

test('clouds in one process know nothing of each other', async () => {
  await using one = await startCloud()
  await using other = await startCloud()
  const client = await clientOf(one)
  await client.createServer('mine')
  assert.notEqual(one.url, other.url)
  assert.deepEqual(await (await clientOf(other)).servers(), [])
  await other.reset()
  assert.deepEqual(await client.servers(), ['mine'])
})

test('nothing stays of a cloud that was stopped', async () => {
  const cloud = await startCloud()
  assert.ok(existsSync(cloud.cloudsFile))
  await cloud.stop()
  assert.ok(!existsSync(dirname(cloud.cloudsFile)))
  await assert.rejects(fetch(cloud.url))
})

test('a reset breaks off what goes on, and what goes on does not reach the new cloud', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await cloud.clock.freeze()
  await Promise.all(['a', 'b', 'c'].map(name => client.createServer(name)))
  await cloud.reset()
  assert.equal((await cloud.clock.show()).frozen, false)
  assert.deepEqual(await client.servers(), [])
  assert.deepEqual(await ports(cloud), [])
})

async function ports(cloud: TestCloud): Promise<unknown> {
  const client = await clientOf(cloud, 'admin')
  const { ports } = await client.get<{ ports: { device_owner: string }[] }>('/network/v2.0/ports')
  return ports.filter(port => port.device_owner.startsWith('compute:'))
}
