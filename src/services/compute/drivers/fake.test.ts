/** The fake driver: the contract, and the faults it plays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle, systemClock, virtualClock } from '#kernel/clock.ts'
import { type Ids, seededIds } from '#kernel/ids.ts'
import { driverContract } from './driver.contract.ts'
import { GuestError, type GuestSpec, powerStates } from './driver.ts'
import { type FakeDriver, type FakeGuest, fakeDriver } from './fake.ts'

const ids = seededIds('fake')

function guestSpec(from: Ids, overrides: Partial<GuestSpec> = {}): GuestSpec {
  const image = {
    id: from.uuid(),
    size: 1024,
    disk_format: 'raw',
    hash_algo: 'sha512',
    hash_value: 'x',
    properties: {},
  } as const
  return {
    id: from.uuid(),
    name: 'web 1',
    vcpus: 1,
    memory_mb: 128,
    disks: [{ id: 'root', source: { type: 'image', image }, size_gb: 1, boot_index: 0 }],
    nics: [{ port_id: from.uuid(), mac: 'fa:16:3e:00:00:01', mtu: 1450 }],
    extra_specs: {},
    ...overrides,
  }
}

driverContract('fake', async () => {
  const guests = new Map<string, FakeGuest>()
  const open = () => fakeDriver({ clock: systemClock(), hostname: 'fake1', guests })
  let driver = open()
  return {
    driver,
    bootText: 'simulated guest ready',
    spec: overrides => guestSpec(ids, overrides),
    reopen: async () => {
      driver = open()
      return driver
    },
    crash: async id => driver.crashGuest(id),
    powerOff: async id => driver.powerOffGuest(id),
    remains: async id => [...guests.keys()].filter(key => key.startsWith(id)),
    close: async () => driver[Symbol.asyncDispose](),
  }
})

test('a fault hits the call it names, once', async () => {
  const driver = fakeDriver({
    clock: virtualClock(),
    hostname: 'h',
    faults: [{ method: 'spawn', call: 2, error: 'no space' }],
  })
  await driver.spawn(guestSpec(ids), { power_on: true })
  const second = guestSpec(ids)
  await assert.rejects(driver.spawn(second, { power_on: true }), new GuestError('no space'))
  assert.equal(await driver.state(second.id), powerStates.nostate)
  await driver.spawn(second, { power_on: true })
  assert.equal(await driver.state(second.id), powerStates.running)
})

test('a fault may strike after the work is done, for one guest, on every call', async () => {
  const driver = fakeDriver({ clock: virtualClock(), hostname: 'h' })
  const [struck, spared] = [guestSpec(ids), guestSpec(ids)]
  driver.inject({ method: 'spawn', guest: struck.id, call: 'every', error: 'answer lost', afterwards: true })
  await driver.spawn(spared, { power_on: true })
  for (const _ of [1, 2]) await assert.rejects(driver.spawn(struck, { power_on: true }), /answer lost/)
  assert.equal(await driver.state(struck.id), powerStates.running)
})

test('a delayed call waits on the clock it was given, and its abort ends it', async () => {
  const clock = virtualClock()
  const driver = fakeDriver({ clock, hostname: 'h' })
  const [slow, aborted] = [guestSpec(ids), guestSpec(ids)]
  driver.inject({ method: 'spawn', call: 'every', delayMs: 5000 })
  const abort = new AbortController()
  const spawning = driver.spawn(slow, { power_on: true })
  const dropped = assert.rejects(driver.spawn(aborted, { power_on: true, signal: abort.signal }), /enough/)
  await settle()
  abort.abort(new Error('enough'))
  await dropped
  assert.equal(await driver.state(slow.id), powerStates.nostate)
  await clock.advance(5000)
  await spawning
  assert.deepEqual(await driver.list(), [{ id: slow.id, power_state: powerStates.running }])
})

test('the console log is a ring of 1 MiB that keeps the newest', async () => {
  const driver = fakeDriver({ clock: virtualClock(), hostname: 'h' })
  const spec = guestSpec(ids)
  await driver.spawn(spec, { power_on: true })
  for (let line = 0; line < 40; line++) driver.print(spec.id, `${String(line).repeat(32 * 1024)}\n`)
  const log = await driver.consoleLog(spec.id)
  assert.equal(log.length, 1024 * 1024)
  assert.ok(log.endsWith('39\n'))
})

test('a name cannot forge console output', async () => {
  const driver = fakeDriver({ clock: virtualClock(), hostname: 'h' })
  const spec = guestSpec(ids, { name: 'a\nroot login: \x1b[2J' })
  await driver.spawn(spec, { power_on: true })
  assert.ok((await driver.consoleLog(spec.id)).endsWith('\na-root-login----2J login: '))
})

test('a guest moves live between two hosts, can be hurried on its way, and is moved once', async () => {
  const clock = virtualClock()
  const [from, to] = ['h1', 'h2'].map(hostname => fakeDriver({ clock, hostname })) as [FakeDriver, FakeDriver]
  const spec = guestSpec(ids)
  await from.spawn(spec, { power_on: true })
  from.write(spec.id, 'root', 'a letter')
  from.inject({ method: 'migrateLive', delayMs: 3_600_000 })
  const address = await to.prepareIncoming(spec)
  const moving = from.migrateLive(spec.id, address, {})
  assert.equal((await from.migrationProgress(spec.id))?.memory_total, 128 * 1024 * 1024)
  await from.forceMigration(spec.id)
  await moving
  assert.equal(await to.state(spec.id), powerStates.running)
  assert.equal(await from.state(spec.id), powerStates.nostate)
  assert.deepEqual(to.guests.get(spec.id)?.disks.root?.contents.at(-1), 'a letter')
  await from.migrateLive(spec.id, address, {})
  assert.equal(await from.migrationProgress(spec.id), undefined)
  await from.destroy(spec.id)
  assert.equal(from.guests.size, 0)
})

test('a live migration that is given up leaves the guest where it is', async () => {
  const clock = virtualClock()
  const [from, to] = ['h1', 'h2'].map(hostname => fakeDriver({ clock, hostname })) as [FakeDriver, FakeDriver]
  const spec = guestSpec(ids)
  await from.spawn(spec, { power_on: true })
  from.inject({ method: 'migrateLive', delayMs: 3_600_000 })
  const abort = new AbortController()
  const moving = from.migrateLive(spec.id, await to.prepareIncoming(spec), { signal: abort.signal })
  abort.abort(new Error('given up'))
  await assert.rejects(moving, /given up/)
  assert.equal(await from.state(spec.id), powerStates.running)
  assert.equal(await to.state(spec.id), powerStates.nostate)
})
