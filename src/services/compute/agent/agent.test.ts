import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { inProcessBus } from '#kernel/bus/in-process.ts'
import { client, serveMethods } from '#kernel/bus/methods.ts'
import { virtualClock } from '#kernel/clock.ts'
import type { Env } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import { silentLog } from '#kernel/log.ts'
import { GuestError, type GuestSpec, powerStates } from '../drivers/driver.ts'
import { type FakeGuest, fakeDriver } from '../drivers/fake.ts'
import type { FakeFault } from '../drivers/fake-faults.ts'
import { hostAgent } from '../host-agent.ts'
import { computeAgent } from './agent.ts'
import {
  type ComputeAgentMethods,
  type ComputeControlMethods,
  computeAgentSubject,
  computeAgentVersion,
  computeControlSubject,
  computeControlVersion,
} from './methods.ts'

const guest = (id: string): GuestSpec => ({
  id,
  name: id,
  vcpus: 1,
  memory_mb: 128,
  disks: [{ id: 'root', source: { type: 'blank' }, size_gb: 1, boot_index: 0 }],
  nics: [],
  extra_specs: {},
})

async function setUp({ control = true, faults = [] as FakeFault[], guests = new Map<string, FakeGuest>() } = {}) {
  const clock = virtualClock()
  const log = silentLog()
  const bus = inProcessBus(clock, log)
  const driver = fakeDriver({ clock, hostname: 'h1', faults, guests })
  const reports: Parameters<ComputeControlMethods['report']>[0][] = []
  const events: Parameters<ComputeControlMethods['guestEvent']>[0][] = []
  const uploaded = new Map<string, Buffer>()
  const serveControl = () =>
    serveMethods<ComputeControlMethods>(bus, computeControlSubject, computeControlVersion, {
      async report(input) {
        reports.push(input)
        return null
      },
      async guestEvent(input) {
        events.push(input)
        return null
      },
    })
  if (control) serveControl()
  const uploads = {
    put: async (id: string, bytes: AsyncIterable<Buffer>) => void uploaded.set(id, await buffer(bytes)),
  }
  const agent = await computeAgent({ bus, host: 'h1', driver, clock, log, uploads })
  await clock.advance(0)
  const call = client<ComputeAgentMethods>(bus, computeAgentSubject('h1'), {
    timeoutMs: 60_000,
    version: computeAgentVersion,
  })
  return {
    clock,
    driver,
    reports,
    events,
    uploaded,
    call: call.call,
    /** As the control plane asks. */
    asked: hostAgent({ bus, clock, database: {} } as unknown as Env, 'h1'),
    serveControl,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]()
      await driver[Symbol.asyncDispose]()
      await bus[Symbol.asyncDispose]()
    },
  }
}

test('a starting agent tells which guests it found, and reports on every ten seconds', async () => {
  const before = await setUp()
  await before.call('spawn', { spec: guest('a'), power_on: true })
  const { guests } = before.driver
  await before[Symbol.asyncDispose]()

  await using host = await setUp({ guests })
  assert.deepEqual(
    host.reports.map(r => [r.started, r.guests]),
    [[true, [{ id: 'a', power_state: powerStates.running }]]],
  )
  await host.clock.advance(20_000)
  assert.deepEqual(
    host.reports.map(r => r.started),
    [true, false, false],
  )
})

test('changes are reported within a second, those of that second together', async () => {
  await using host = await setUp()
  await host.call('spawn', { spec: guest('a'), power_on: true })
  await host.clock.advance(900)
  await host.call('spawn', { spec: guest('b'), power_on: true })
  await host.clock.advance(100)
  assert.deepEqual(
    host.reports.slice(1).map(report => report.guests.map(({ id }) => id)),
    [['a', 'b']],
  )
})

test('a call that a newer one has overtaken does nothing, unless somebody waits for it still', async () => {
  await using host = await setUp()
  const spec = guest('a')
  await host.call('spawn', { spec, power_on: true })
  const late = { id: 'a', order: 1 }
  await host.call('dropAside', late)
  await host.call('setAside', { id: 'a', grace_seconds: 0, order: 2 } as never)
  // Its second copy: what it was to make room for is there now.
  await assert.rejects(host.call('dropAside', late), { message: 'A newer call about guest a came before this one.' })
  await host.call('bringBack', { id: 'a', order: 3 } as never)
  assert.equal(await host.call('state', { id: 'a' }), powerStates.shutdown)
  // A caller whose clock is behind that of the one before it.
  await host.call('start', { spec, order: host.clock.now() * 1000 + 7_000_000 } as never)
  await host.asked.call('stop', { id: 'a', grace_seconds: 0 })
  await host.asked.call('start', { spec })
  assert.equal(await host.call('state', { id: 'a' }), powerStates.running)
})

test('a guest is destroyed at once, whatever goes on with it', async () => {
  await using host = await setUp()
  await host.call('spawn', { spec: guest('a'), power_on: true })
  host.driver.inject({ method: 'stop', delayMs: 60_000 })
  const stopped = host.call('stop', { id: 'a', grace_seconds: 60 })
  const refused = assert.rejects(stopped, /being destroyed/)
  await host.clock.advance(1_000)
  await host.call('destroy', { id: 'a' })
  await refused
  assert.equal(host.driver.guests.size, 0)
})

test('the first report waits for a control plane that starts later', async () => {
  await using host = await setUp({ control: false })
  await host.clock.advance(3_000)
  await using _control = host.serveControl()
  await host.clock.advance(3_000)
  assert.deepEqual(
    host.reports.map(r => r.started),
    [true],
  )
})

test('a guest that dies by itself is told with the reason', async () => {
  await using host = await setUp()
  await host.call('spawn', { spec: guest('a'), power_on: true })
  host.driver.crashGuest('a', 'qemu exited')
  await host.clock.advance(0)
  assert.deepEqual(host.events, [{ host: 'h1', id: 'a', power_state: powerStates.crashed, reason: 'qemu exited' }])
})

test('calls about one guest take turns, calls about another do not wait', async () => {
  await using host = await setUp({ faults: [{ method: 'spawn', guest: 'a', delayMs: 5_000 }] })
  const done: string[] = []
  const note = (what: string) => () => done.push(what)
  const all = [
    host.call('spawn', { spec: guest('a'), power_on: true }).then(note('spawn a')),
    host.call('stop', { id: 'a', grace_seconds: 0 }).then(note('stop a')),
    host.call('spawn', { spec: guest('b'), power_on: true }).then(note('spawn b')),
  ]
  await host.clock.advance(5_000)
  await Promise.all(all)
  assert.deepEqual(done, ['spawn b', 'spawn a', 'stop a'])
  assert.equal(await host.call('state', { id: 'a' }), powerStates.shutdown)
})

test('a stop does not wait for an agent in the guest that does not answer', async () => {
  await using host = await setUp({ faults: [{ method: 'changePassword', delayMs: 45_000, error: 'no answer' }] })
  await host.call('spawn', { spec: guest('a'), power_on: true })
  const asked = host.call('changePassword', { id: 'a', user: 'root', password: 'secret' })
  await host.clock.advance(0)
  await host.call('stop', { id: 'a', grace_seconds: 0 })
  assert.equal(await host.call('state', { id: 'a' }), powerStates.shutdown)
  await Promise.all([assert.rejects(asked, { message: 'no answer' }), host.clock.advance(45_000)])
})

test('a caller that gives up stops the work, and what waits behind it goes on', async () => {
  await using host = await setUp({ faults: [{ method: 'spawn', delayMs: 60_000 }] })
  const impatient = new AbortController()
  const spawn = host.call('spawn', { spec: guest('a'), power_on: true }, { signal: impatient.signal })
  const refused = assert.rejects(spawn)
  const destroy = host.call('destroy', { id: 'a' })
  await host.clock.advance(1_000)
  impatient.abort(new Error('deleted'))
  await host.clock.advance(0)
  await refused
  await destroy
  assert.equal(host.driver.guests.size, 0)
})

test("a guest's failure keeps its words and whether another host might do better", async () => {
  await using host = await setUp({
    faults: [{ method: 'spawn', error: new GuestError('No space left.', { retryElsewhere: true }) }],
  })
  await assert.rejects(host.call('spawn', { spec: guest('a'), power_on: true }), (error: unknown) => {
    assert.ok(error instanceof Fault)
    assert.deepEqual(
      [error.type, error.message, error.extra],
      ['GuestError', 'No space left.', { retry_elsewhere: true }],
    )
    return true
  })
})

test("a snapshot is the guest's disk, put where images are kept", async () => {
  await using host = await setUp()
  await host.call('spawn', { spec: guest('a'), power_on: true })
  await host.call('snapshot', { id: 'a', image_id: 'image-1', format: 'qcow2' })
  assert.equal(host.uploaded.get('image-1')?.subarray(0, 4).toString('latin1'), 'QFI\xfb')
})
