/** What becomes of the reports of thousands of hosts that begin at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client } from '#kernel/bus/methods.ts'
import { type ComputeControlMethods, computeControlSubject, computeControlVersion } from '../agent/methods.ts'
import { fakeDriver } from '../drivers/fake.ts'
import { computeCloud } from '../fixtures/compute-cloud.ts'
import { hosts } from './store.ts'

test('of many reports a few are kept at a time; one that its host no longer waits for is not begun', async () => {
  await using cloud = await computeCloud()
  const [kept, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { ensureProvider } = cloud.env.services.placement
  Object.assign(cloud.placement, {
    async ensureProvider(...told: Parameters<typeof ensureProvider>) {
      kept.resolve()
      await goOn.promise
      return ensureProvider(...told)
    },
  })
  await using driver = fakeDriver({ clock: cloud.env.clock, hostname: 'h', vcpus: 8, memory_mb: 8192, disk_gb: 100 })
  const common = { facts: await driver.facts(), guests: [], started: true }
  const machine = { address: '192.0.2.7', uptime_seconds: 1, load: [0, 0, 0] }
  const options = { timeoutMs: 60_000, version: computeControlVersion }
  const control = client<ComputeControlMethods>(cloud.env.bus, computeControlSubject, options)
  const waiting = new AbortController()
  const calls = Array.from({ length: 100 }, (_, i) =>
    control.call('report', { host: `h${i}`, ...common, machine }, { signal: waiting.signal }).catch(() => 'given up'),
  )
  await kept.promise
  waiting.abort(new Error('it waits no longer'))
  await Promise.all(calls)
  goOn.resolve()
  await cloud.report('last')
  const names = (await hosts.list(cloud.ctx().db)).map(({ name }) => name)
  assert.ok(names.includes('last'))
  assert.ok(names.length < 20, `${names.length} hosts`)
})
