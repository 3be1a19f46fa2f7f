/** Room and telemetry: what is claimed never exceeds what is there, and what is not said any more does not count. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { createLog } from '#kernel/log.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { hostsOf } from './fixtures/choosing.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld } from './fixtures/world.ts'

onEachEngine(
  'of twenty boots at once against room for ten, ten are ACTIVE, and hosts tell what they gave',
  async database => {
    const set = ['compute.hosts.cpu_allocation_ratio=1', 'compute.quota.instances=30', 'compute.quota.cores=30']
    await using cloud = await serverCloud({
      hosts: ['h1', 'h2'],
      vcpus: 5,
      set,
      world: await newWorld(undefined, database),
    })
    const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
    await Promise.all(Array.from({ length: 20 }, () => cloud.ask(demo)))
    await cloud.env.sagas.idle()
    const listed = await cloud.api<{ servers: { status: string }[] }>(demo, 'GET', '/servers/detail')
    const count = (status: string) => listed.body.servers.filter(one => one.status === status).length
    assert.deepEqual([count('ACTIVE'), count('ERROR')], [10, 10])
    const path = '/os-hypervisors/detail'
    const detail = await cloud.api<{
      hypervisors: { vcpus_used: number; memory_mb_used: number; running_vms: number }[]
    }>(admin, 'GET', path, undefined, '2.87')
    assert.deepEqual(
      detail.body.hypervisors.map(one => [one.vcpus_used, one.memory_mb_used - 512]),
      [
        [5, 5 * 128],
        [5, 5 * 128],
      ],
    )
  },
)

test('telemetry that stops is ignored after a while, and the log says so once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-telemetry-'))
  try {
    const file = join(folder, 'log')
    const clock = virtualClock()
    const set = ['compute.scheduler.wanted_signals=raid s!= degraded']
    const log = createLog({ level: 'warn', destination: file })
    await using cloud = await serverCloud({ hosts: ['h1'], world: await newWorld(clock), set, log })
    const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
    const signals = { raid: 'degraded' }
    assert.equal((await cloud.api(admin, 'PUT', '/os-host-signals/h1', { signals })).status, 204)
    assert.deepEqual(await hostsOf(cloud, 1, demo), ['none'])
    await clock.advance(301_000)
    assert.deepEqual(await hostsOf(cloud, 2, demo), ['h1', 'h1'])
    log.flush()
    const lines = readFileSync(file, 'utf8').split('\n')
    assert.equal(lines.filter(line => line.includes('a signal of a host is stale')).length, 1)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
