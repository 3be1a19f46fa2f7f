/** What operators bring themselves: filters, weighers and hints in modules, a driver, and a scheduler beside the cloud. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { settings, weights } from '../scheduler/fixtures/snapshot.ts'
import { serveScheduler } from '../scheduler-process.ts'
import { filters, hostsOf } from './fixtures/choosing.ts'
import { serverCloud } from './fixtures/server-cloud.ts'

const example = (name: string) => join(import.meta.dirname, '../../../../examples/scheduler', name)
const hosts = ['h1', 'h2', 'h3']

test('a daemon tells of racks and temperatures, and a filter and a weigher from outside read them', async () => {
  const set = [filters('CoolHostFilter'), `compute.scheduler.modules=${example('cool-hosts.mjs')}`]
  await using cloud = await serverCloud({ hosts, set: [...set, 'compute.scheduler.own_weights={"coolness":9}'] })
  const [admin, demo] = [await cloud.admin(), await cloud.project('demo-1')]
  for (const [host, temp] of [
    ['h1', 71],
    ['h2', 35],
    ['h3', 50],
  ] as const) {
    const signals = { temp, rack_id: 'r1' }
    assert.equal((await cloud.api(admin, 'PUT', `/os-host-signals/${host}`, { signals })).status, 204)
  }
  assert.deepEqual(await hostsOf(cloud, 3, demo), ['h2', 'h2', 'h2'])
  assert.deepEqual(await hostsOf(cloud, 1, demo, { max_temp: '20' }), ['none'])
  const shown = await cloud.api<{ scheduler_hints: { name: string }[] }>(demo, 'GET', '/os-scheduler-hints')
  assert.equal(shown.body.scheduler_hints.at(-1)!.name, 'max_temp')
})

test('a driver chooses instead of all weights, among the hosts that pass the filters', async () => {
  await using cloud = await serverCloud({ hosts, set: [`compute.scheduler.driver=${example('one-by-one.mjs')}`] })
  const demo = await cloud.project('demo-1')
  assert.deepEqual(await hostsOf(cloud, 3, demo), ['h1', 'h1', 'h1'])
  const [first] = (await cloud.api<{ servers: { id: string }[] }>(demo, 'GET', '/servers')).body.servers
  assert.deepEqual(await hostsOf(cloud, 1, demo, { different_host: [first!.id] }), ['h2'])
})

test('a scheduler beside the cloud chooses, with a configuration of its own; when it fails, servers say so', async () => {
  await using cloud = await serverCloud({ hosts, set: ['compute.scheduler.remote=true'] })
  const demo = await cloud.project('demo-1')
  const common = { settings, random: () => 0.5, weights: weights({}) }
  {
    const choose = () => Promise.reject(new Error('no moon'))
    await using _scheduler = serveScheduler(cloud.env.bus, { ...common, filters: [], driver: { choose } })
    const failed = await cloud.boot(demo)
    assert.match(failed.fault.message, /No valid host was found.*3 refused by SchedulerDriver/)
    const why = await cloud.api<{ explanation: { hosts: { had: string }[] } }>(
      await cloud.admin(),
      'GET',
      `/servers/${failed.id}/nephos-explain`,
    )
    assert.match(why.body.explanation.hosts[0]!.had, /it failed: no moon/)
  }
  const last = {
    choose: (_: unknown, all: readonly { host: string }[]) => ({
      hosts: [
        all
          .map(one => one.host)
          .sort()
          .at(-1)!,
      ],
    }),
  }
  const chosen: string[][] = []
  for (const options of [
    { filters: [], driver: last },
    { filters: ['CoreFilter'], weights: weights({ num_instances: 1 }) },
  ]) {
    await using _scheduler = serveScheduler(cloud.env.bus, { ...common, ...options })
    chosen.push(await hostsOf(cloud, 2, demo))
  }
  assert.deepEqual(chosen[0], ['h3', 'h3'])
  assert.deepEqual(chosen[1], ['h3', 'h3'], 'packed by its own weights')
})

test('a module that is not there, or offers nothing, stops the start with words that help', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-modules-'))
  const module = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  try {
    const start = (set: string) => serverCloud({ hosts: [], set: [set] })
    const nothing = module('nothing.mjs', 'export const other = 1\n')
    await assert.rejects(start(`compute.scheduler.modules=${nothing}`), /offers nothing: export filters, weighers/)
    await assert.rejects(start(`compute.scheduler.driver=${nothing}`), /is no driver: export a function choose/)
    const twice = module('twice.mjs', 'export const filters = { ComputeFilter: () => undefined }\n')
    await assert.rejects(start(`compute.scheduler.modules=${twice}`), /a filter ComputeFilter already/)
    await assert.rejects(start(`compute.scheduler.driver=${join(folder, 'none.mjs')}`), /none\.mjs/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
