/** How long a thousand servers of one request take of which one build in twenty fails and is done elsewhere. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '#kernel/clock.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { GuestError } from '../../src/services/compute/drivers/driver.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { newWorld } from '../../src/services/compute/servers/fixtures/world.ts'

const hosts = Array.from({ length: 8 }, (_, i) => `h${i}`)
const unlimited = ['instances', 'cores', 'ram'].map(name => `compute.quota.${name}=-1`)
/** Milliseconds between looks at the loop; what is measured has them in it. */
const resolution = 20
/** Of the calls to build a guest, one in so many fails. */
const oneIn = 20

export interface Many {
  /** Milliseconds. */
  answered: number
  active: number
  failed: number
  late: { p99: number; max: number }
}

export async function manyTimes(dir: string, count: number): Promise<Many> {
  const path = join(dir, 'many.db')
  const world = await newWorld(systemClock(), openSqlite(path, { breathes: true }))
  const set = [...unlimited, 'network.quota_port=-1']
  await using cloud = await serverCloud({ world, hosts, vcpus: 256, memoryMb: 524_288, validateResponses: false, set })
  const demo = await cloud.project('demo')
  await cloud.boot(demo)
  let failed = 0
  const error = new GuestError('No space left on the host.', { retryElsewhere: true })
  for (const driver of Object.values(cloud.drivers))
    for (let call = oneIn; call <= count / hosts.length; call += oneIn)
      driver.inject({ method: 'spawn', call, error, hit: () => void failed++ })
  const loop = monitorEventLoopDelay({ resolution })
  loop.enable()
  await sleep(100)
  loop.reset()
  const began = performance.now()
  await cloud.ask(demo, { min_count: count })
  const answered = performance.now() - began
  await cloud.env.sagas.idle()
  const active = performance.now() - began
  await sleep(100)
  const { body } = await cloud.api<{ servers: unknown[] }>(demo, 'GET', '/servers?status=ERROR')
  if (body.servers.length > 0) throw new Error(`${body.servers.length} servers are in ERROR`)
  rmSync(path, { force: true })
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolution)
  return { answered, active, failed, late: { p99: late(loop.percentile(99)), max: late(loop.max) } }
}
