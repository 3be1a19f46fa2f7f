/** GET /healthcheck: 200 when every part answers; 503 and its name when one does not. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startHost } from '../src/agent.ts'
import { type Cloud, createCloud } from '../src/cloud.ts'
import { inProcessBus } from '../src/kernel/bus/in-process.ts'
import { type VirtualClock, virtualClock } from '../src/kernel/clock.ts'
import { openSqlite } from '../src/kernel/db/sqlite.ts'
import { silentLog } from '../src/kernel/log.ts'
import { fakeDriver } from '../src/services/compute/drivers/fake.ts'
import { fakePlane } from '../src/services/network/drivers/fake.ts'
import { testCloud } from './harness.ts'

interface Health {
  status: string
  parts: Record<string, string>
}

async function healthOf(cloud: Pick<Cloud, 'http'>): Promise<Health & { code: number }> {
  const answer = await cloud.http.inject({ method: 'GET', url: '/healthcheck' })
  return { code: answer.statusCode, ...(answer.json() as Health) }
}

const allFine = { database: 'ok', bus: 'ok', sagas: 'ok', hosts: 'ok', host_networks: 'ok' }

function addHost(cloud: Cloud, clock: VirtualClock, host: string) {
  return startHost({
    host,
    bus: cloud.env.bus,
    clock,
    log: silentLog(),
    driver: fakeDriver({ clock, hostname: host }),
    plane: fakePlane({ clock }),
    images: { open: () => Promise.reject(new Error('no image is asked for')) },
    uploads: { put: () => Promise.reject(new Error('no image is made')) },
    ephemeral: true,
  })
}

test('hosts that are not heard from are counted; the cloud fails when none is', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  assert.deepEqual(await healthOf(cloud), { code: 200, status: 'ok', parts: allFine })
  const one = await addHost(cloud, clock, 'one')
  const two = await addHost(cloud, clock, 'two')
  await clock.advance(100_000)
  assert.deepEqual(await healthOf(cloud), { code: 200, status: 'ok', parts: allFine })

  await one[Symbol.asyncDispose]()
  await clock.advance(100_000)
  const some = await healthOf(cloud)
  assert.deepEqual([some.code, some.status], [200, 'ok'])
  assert.equal(some.parts.hosts, '1 of 2 not heard from for 60 s')
  assert.equal(some.parts.host_networks, '1 of 2 not heard from for 75 s')

  await two[Symbol.asyncDispose]()
  await clock.advance(100_000)
  const none = await healthOf(cloud)
  assert.deepEqual([none.code, none.status], [503, 'error'])
  assert.equal(none.parts.hosts, '2 of 2 not heard from for 60 s')
  assert.equal(none.parts.database, 'ok')
})

test('a database that is gone is named', async () => {
  const database = openSqlite(':memory:')
  await using cloud = await testCloud({ database })
  await database[Symbol.asyncDispose]()
  const health = await healthOf(cloud)
  assert.deepEqual([health.code, health.parts.database, health.parts.bus], [503, 'does not answer', 'ok'])
})

test('a process that only serves the API says when nobody keeps sagas', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-health-'))
  try {
    await using main = await testCloud({ database: openSqlite(join(folder, 'nephos.db')) })
    const { config, clock, ids, log } = main.env
    await using database = openSqlite(join(folder, 'nephos.db'))
    const beside = { config, clock, ids, log, database, apiOnly: true }
    await using api = await createCloud({ ...beside, bus: main.env.bus, processName: 'api-1' })
    assert.deepEqual(await healthOf(api), { code: 200, status: 'ok', parts: allFine })

    const lonely = inProcessBus(clock, log)
    await using alone = await createCloud({ ...beside, bus: lonely, processName: 'api-2' })
    const health = await healthOf(alone)
    assert.equal(health.code, 503)
    assert.deepEqual([health.parts.sagas, health.parts.database], ['does not answer', 'ok'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
