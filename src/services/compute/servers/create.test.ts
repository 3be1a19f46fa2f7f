/** Creating servers: from the request to ACTIVE, and what stops it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from './fixtures/server-cloud.ts'
import { nothingHeld } from './fixtures/world.ts'

test('a server is created, becomes ACTIVE, and is gone without a trace when deleted', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  assert.equal(server.status, 'ACTIVE', JSON.stringify(server.fault))
  assert.equal(cloud.drivers.h1?.guests.size, 1)
  assert.equal((await cloud.api(demo, 'DELETE', `/servers/${server.id}`)).status, 204)
  await cloud.env.sagas.idle()
  assert.equal((await cloud.api(demo, 'GET', `/servers/${server.id}`)).status, 404)
  assert.deepEqual(await cloud.held(), nothingHeld)
})
