/** How long it takes to choose a host and claim room on it, by how many there are. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock, virtualClock } from '#kernel/clock.ts'
import { createCtx, systemIdentity } from '#kernel/context.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import type { HostFacts } from '../../src/services/compute/drivers/driver.ts'
import { fakeDriver } from '../../src/services/compute/drivers/fake.ts'
import { type HostReport, keepReport } from '../../src/services/compute/hosts/report.ts'
import { place } from '../../src/services/compute/servers/placing.ts'
import { testCloud } from '../harness.ts'
import { type Times, timesOf } from './timing.ts'

const decisions = 200
/** Hosts that report between two decisions. */
const reports = 20
/** Requests for several servers, and how many each is for. */
const requests = 10
const several = 100

const flavor = { id: '1', name: 'small', vcpus: 1, ram: 512, disk: 1, ephemeral: 0, swap: 0, extra_specs: {} }
const spec = { availability_zone: null, requested_host: null, scheduler_hints: {}, group_id: null }

export interface Scheduling {
  times: Times
  /** Of one decision. */
  statements: number
  /** Of one decision of those for several servers of one request. */
  several: { times: Times; statements: number }
}

/** Decisions in transactions of their own, each claimed for good, while hosts go on reporting. The commit is not timed. */
export async function schedulingTimes(dir: string, hosts: number): Promise<Scheduling> {
  const path = join(dir, 'scheduling.db')
  await using database = openSqlite(path)
  await using cloud = await testCloud({ database, clock: virtualClock(), validateResponses: false })
  const ctx = createCtx(cloud.env, { requestId: 'req-bench', identity: systemIdentity })
  const facts = await factsOfHost()
  const report = (i: number, started: boolean): HostReport => ({
    host: `host-${i}`,
    facts: { ...facts, hypervisor_hostname: `host-${i}` },
    guests: [],
    machine: { address: '127.0.0.1', uptime_seconds: 1, load: [0, 0, 0] },
    started,
  })
  for (let i = 0; i < hosts; i += 500) {
    await ctx.transaction(async tx => {
      for (let j = i; j < Math.min(i + 500, hosts); j++) await keepReport(tx, report(j, true))
    })
  }
  const request = { flavor, image: null, spec, ignore: [], project_id: 'p', user_id: 'u' }
  let reported = 0
  async function decide(count: number) {
    return ctx.transaction(async tx => {
      const ids = Array.from({ length: count }, () => cloud.env.ids.uuid())
      const before = database.statements()
      const began = performance.now()
      const placed = await place(tx, request, ids)
      if (!('hosts' in placed)) throw new Error('no host was found')
      return {
        took: (performance.now() - began) / count,
        statements: (database.statements() - before) / count,
      }
    })
  }
  const lively = () =>
    ctx.transaction(async tx => {
      for (let i = 0; i < reports; i++) await keepReport(tx, report(reported++ % hosts, false))
    })
  async function decided(times: number, count: number) {
    const each = []
    for (let i = 0; i < times; i++) {
      await lively()
      each.push(await decide(count))
    }
    return {
      times: timesOf(each.map(({ took }) => took)),
      statements: each.reduce((sum, one) => sum + one.statements, 0) / times,
    }
  }
  for (let i = 0; i < 20; i++) await decide(1)
  const single = await decided(decisions, 1)
  // Ten hosts have no room for hundreds.
  const many = Math.min(several, hosts)
  await decide(many)
  const together = await decided(requests, many)
  rmSync(path, { force: true })
  return { ...single, several: together }
}

async function factsOfHost(): Promise<HostFacts> {
  await using driver = fakeDriver({
    clock: systemClock(),
    hostname: 'any',
    vcpus: 64,
    memory_mb: 262_144,
    disk_gb: 4000,
  })
  return driver.facts()
}
