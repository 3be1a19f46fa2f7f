/** What every virt driver must do, as one suite of tests: run with the fake driver and with each real one. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { cpuTraits } from './cpu-traits.ts'
import {
  type ConsoleEndpoint,
  GuestError,
  type GuestEvent,
  type GuestSpec,
  type NicSpec,
  type PowerState,
  powerStates,
  type VirtDriver,
} from './driver.ts'

/** A driver, and the hands that a test needs beside it. */
export interface DriverUnderTest {
  driver: VirtDriver
  /** A small guest that boots, prints `bootText`, and obeys the power button. Each call gives a new id. */
  spec(overrides?: Partial<GuestSpec>): GuestSpec
  bootText: string
  /** Drops the driver as a crash of the control process would, and opens another over the same guests. */
  reopen(): Promise<VirtDriver>
  /** The guest dies (its process is killed). */
  crash(id: string): Promise<void>
  /** The guest switches itself off. */
  powerOff(id: string): Promise<void>
  /** What is left on the host of a guest that was destroyed: files, processes. Must be empty. */
  remains(id: string): Promise<string[]>
  close(): Promise<void>
}

const clock = systemClock()

/** Polls until `check` gives something truthy. */
async function eventually<T>(what: string, check: () => T | Promise<T>, seconds = 60): Promise<NonNullable<T>> {
  for (const start = clock.monotonic(); ; ) {
    const value = await check()
    if (value) return value as NonNullable<T>
    if (clock.monotonic() - start > seconds * 1000) assert.fail(`${what} did not happen in ${seconds} s`)
    await clock.sleep(50)
  }
}

async function firstBytes(endpoint: ConsoleEndpoint): Promise<string> {
  const socket = endpoint.type === 'unix' ? createConnection(endpoint.path) : createConnection(endpoint)
  const [chunk] = await once(socket, 'data')
  socket.destroy()
  return String(chunk)
}

const count = (text: string, part: string) => text.split(part).length - 1

export function driverContract(name: string, open: () => Promise<DriverUnderTest>, options: { skip?: string } = {}) {
  describe(`virt driver contract: ${name}`, { skip: options.skip ?? false }, () => {
    let host: DriverUnderTest
    let driver: VirtDriver
    const events: GuestEvent[] = []

    before(async () => {
      host = await open()
      driver = host.driver
      driver.onEvent(event => events.push(event))
      assert.deepEqual(await driver.recover(), [])
    })
    after(() => host.close())

    const eventsOf = (id: string) => events.filter(event => event.id === id).map(event => event.power_state)

    async function booted(overrides?: Partial<GuestSpec>): Promise<GuestSpec> {
      const spec = host.spec(overrides)
      await driver.spawn(spec, { power_on: true })
      await bootsTimes(spec, 1)
      return spec
    }

    const bootsTimes = (spec: GuestSpec, times: number) =>
      eventually(`boot ${times} of ${spec.id}`, async () => {
        return count(await driver.consoleLog(spec.id), host.bootText) === times
      })

    async function gone(id: string) {
      await driver.destroy(id)
      assert.equal(await driver.state(id), powerStates.nostate)
      assert.equal(
        (await driver.list()).some(guest => guest.id === id),
        false,
      )
      assert.deepEqual(await host.remains(id), [])
    }

    const expectState = async (id: string, state: PowerState) => assert.equal(await driver.state(id), state)

    it('says what the host has', async () => {
      const facts = await driver.facts()
      assert.ok(facts.vcpus >= 1 && facts.memory_mb >= 256 && facts.disk_gb >= 1)
      assert.match(facts.hypervisor_hostname, /./)
      assert.ok(facts.traits.includes('COMPUTE_NODE'))
      const ofCpu = facts.traits.filter(trait => trait.startsWith('HW_CPU_X86_'))
      assert.deepEqual(ofCpu.sort(), cpuTraits(facts.cpu_info.features))
      assert.ok(Number.isInteger(facts.hypervisor_version))
    })

    it('spawns a guest, once, however often it is asked, and destroys it without a trace', async () => {
      const spec = await booted()
      await driver.spawn(spec, { power_on: true })
      await expectState(spec.id, powerStates.running)
      assert.deepEqual(await driver.list(), [{ id: spec.id, power_state: powerStates.running }])
      assert.equal(count(await driver.consoleLog(spec.id), host.bootText), 1)
      await gone(spec.id)
      await driver.destroy(spec.id)
      assert.deepEqual(eventsOf(spec.id), [])
    })

    it('keeps a guest off when it is spawned off, then starts and stops it', async () => {
      const spec = host.spec()
      await driver.spawn(spec, { power_on: false })
      await expectState(spec.id, powerStates.shutdown)
      await driver.start(spec)
      await driver.start(spec)
      await expectState(spec.id, powerStates.running)
      await bootsTimes(spec, 1)
      await driver.stop(spec.id, 60)
      await expectState(spec.id, powerStates.shutdown)
      await driver.stop(spec.id, 60)
      await driver.start(spec)
      await driver.stop(spec.id, 0)
      await expectState(spec.id, powerStates.shutdown)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('pauses and unpauses', async () => {
      const spec = await booted()
      for (const _ of [1, 2]) await driver.pause(spec.id)
      await expectState(spec.id, powerStates.paused)
      for (const _ of [1, 2]) await driver.unpause(spec.id)
      await expectState(spec.id, powerStates.running)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('suspends to disk and resumes where it was', async () => {
      const spec = await booted()
      for (const _ of [1, 2]) await driver.suspend(spec.id)
      await expectState(spec.id, powerStates.suspended)
      await assert.rejects(driver.start(spec), GuestError)
      for (const _ of [1, 2]) await driver.resume(spec)
      await expectState(spec.id, powerStates.running)
      assert.equal(count(await driver.consoleLog(spec.id), host.bootText), 1)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('reboots softly and hard, also a guest that is off', async () => {
      const spec = await booted()
      await driver.reboot(spec, 'soft', 60)
      await bootsTimes(spec, 2)
      await driver.reboot(spec, 'hard', 0)
      await bootsTimes(spec, 3)
      await driver.stop(spec.id, 0)
      await driver.reboot(spec, 'hard', 0)
      await bootsTimes(spec, 4)
      await expectState(spec.id, powerStates.running)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('tells when a guest switches itself off, and when it dies', async () => {
      const spec = await booted()
      await host.powerOff(spec.id)
      await eventually('the event', () => eventsOf(spec.id).length > 0)
      assert.deepEqual(eventsOf(spec.id), [powerStates.shutdown])
      await expectState(spec.id, powerStates.shutdown)
      await driver.start(spec)
      await host.crash(spec.id)
      await eventually('the event', () => eventsOf(spec.id).length > 1)
      assert.deepEqual(eventsOf(spec.id), [powerStates.shutdown, powerStates.crashed])
      await expectState(spec.id, powerStates.crashed)
      await driver.start(spec)
      await expectState(spec.id, powerStates.running)
      await gone(spec.id)
    })

    it('gives the console log, whole or its last lines', async () => {
      const spec = await booted()
      const whole = await driver.consoleLog(spec.id)
      const lines = whole.replace(/\n$/, '').split('\n')
      assert.equal((await driver.consoleLog(spec.id, 2)).replace(/\n$/, ''), lines.slice(-2).join('\n'))
      assert.equal(await driver.consoleLog(spec.id, 0), '')
      assert.equal(await driver.consoleLog(spec.id, 1_000_000), whole)
      await gone(spec.id)
    })

    it('gives a VNC and a serial console to connect to while the guest runs', async () => {
      const spec = await booted()
      assert.equal(await firstBytes(await driver.console(spec.id, 'vnc')), 'RFB 003.008\n')
      assert.match((await driver.console(spec.id, 'serial')).type, /^(unix|tcp)$/)
      await driver.stop(spec.id, 0)
      await assert.rejects(driver.console(spec.id, 'vnc'), GuestError)
      await gone(spec.id)
    })

    it('attaches a NIC once, whether the guest runs or not', async () => {
      const spec = await booted()
      const nic: NicSpec = { port_id: 'a1f0c1d2-0000-4000-8000-000000000001', mac: 'fa:16:3e:00:00:99', mtu: 1450 }
      const nics = async () => (await driver.diagnostics(spec.id)).num_nics
      for (const _ of [1, 2]) await driver.attachNic(spec.id, nic)
      assert.equal(await nics(), spec.nics.length + 1)
      await driver.stop(spec.id, 0)
      await driver.attachNic(spec.id, nic)
      for (const _ of [1, 2]) await driver.detachNic(spec.id, nic.port_id)
      await driver.start(spec)
      assert.equal(await nics(), spec.nics.length)
      await gone(spec.id)
    })

    it('snapshots a running guest and one that is off', async () => {
      const spec = await booted()
      assert.equal((await read(await driver.snapshot(spec.id, 'qcow2'))).start.toString('latin1'), 'QFI\xfb')
      await expectState(spec.id, powerStates.running)
      await driver.stop(spec.id, 0)
      assert.equal((await read(await driver.snapshot(spec.id, 'raw'))).size % 512, 0)
      await expectState(spec.id, powerStates.shutdown)
      await gone(spec.id)
    })

    it('backs up what changed since a backup that it has kept count from, else the whole disk', async () => {
      const spec = await booted()
      const bytes = spec.disks[0]!.size_gb * 1024 ** 3
      const backup = async (image_id: string, since?: string, of = bytes) => {
        const made = await driver.backup(spec.id, { image_id, ...(since && { since: { image_id: since, bytes: of } }) })
        const { start, size } = await read(made.bytes)
        assert.equal(start.toString('latin1'), 'QFI\xfb')
        return { base: made.base, size }
      }
      const whole = await backup('one')
      assert.equal(whole.base, undefined)
      const changes = await backup('two', 'one')
      assert.equal(changes.base, 'one')
      assert.ok(changes.size < whole.size, `${changes.size} of ${whole.size} bytes`)
      await expectState(spec.id, powerStates.running)

      // One that never became an image is as if it had not been: what changed before it has changed since the one before.
      assert.equal((await backup('lost', 'two')).base, 'two')
      assert.equal((await backup('three', 'two')).base, 'two')
      assert.equal((await backup('again', 'lost')).base, undefined, 'nobody has asked for it')

      // It keeps count while the guest is off, saved or started anew, and across a restart of itself.
      await driver.stop(spec.id, 0)
      assert.equal((await backup('off', 'again')).base, 'again')
      await driver.start(spec)
      assert.equal((await backup('on', 'off')).base, 'off')
      driver = await host.reopen()
      driver.onEvent(event => events.push(event))
      await driver.recover()
      assert.equal((await backup('reopened', 'on')).base, 'on')
      await driver.suspend(spec.id)
      assert.equal((await backup('saved', 'reopened')).base, 'reopened')
      await driver.resume(spec)
      assert.equal((await backup('resumed', 'saved')).base, 'saved')
      assert.equal((await backup('larger', 'resumed', 2 * bytes)).base, undefined, 'the disk has another size')
      await gone(spec.id)
      await driver.spawn(spec, { power_on: true })
      assert.equal((await backup('new', 'larger')).base, undefined, 'a new disk')
      await gone(spec.id)
    })

    it('keeps the disks of a guest that is destroyed, copies them, and lets them go', async () => {
      const spec = await booted()
      await driver.purgeImageCache(0)
      const keep = { until: '2999-01-01T00:00:00.000Z', free_percent: 0 }
      for (let twice = 0; twice < 2; twice++) await driver.destroy(spec.id, keep)
      await expectState(spec.id, powerStates.nostate)
      const [kept, ...others] = await driver.keptFiles()
      assert.deepEqual([kept?.id, kept?.until, others], [spec.id, keep.until, []])
      assert.ok(kept!.bytes > 0)
      assert.equal(await driver.purgeImageCache(0), 0, 'the disk stands on its image')
      assert.equal((await read(await driver.snapshotKept(spec.id, 'qcow2'))).start.toString('latin1'), 'QFI\xfb')
      const raw = await read(await driver.snapshotKept(spec.id, 'raw'))
      assert.ok(raw.size > 0 && raw.size % 512 === 0)
      assert.deepEqual(await driver.purgeKept(), [])
      for (let twice = 0; twice < 2; twice++) await driver.dropKept(spec.id)
      assert.deepEqual(await driver.keptFiles(), [])
      await assert.rejects(driver.snapshotKept(spec.id, 'raw'), GuestError)

      const over = await booted()
      await driver.destroy(over.id, { until: '2001-01-01T00:00:00.000Z', free_percent: 0 })
      assert.deepEqual(await driver.purgeKept(), [over.id])
      for (const { id } of [spec, over]) await gone(id)
      await driver.destroy('never-there', keep)
      assert.deepEqual(await driver.keptFiles(), [])
    })

    it('gives diagnostics and injects an NMI only while the guest runs', async () => {
      const spec = await booted()
      const facts = await driver.diagnostics(spec.id)
      assert.equal(facts.state, 'running')
      assert.equal(facts.num_cpus, spec.vcpus)
      assert.equal(facts.num_disks, spec.disks.length)
      await driver.injectNmi(spec.id)
      await driver.stop(spec.id, 0)
      await assert.rejects(driver.diagnostics(spec.id), GuestError)
      await assert.rejects(driver.injectNmi(spec.id), GuestError)
      await gone(spec.id)
    })

    it('sets a guest aside, lets another take its place, and brings it back', async () => {
      const spec = await booted()
      for (const _ of [1, 2]) await driver.setAside(spec.id, 0)
      await expectState(spec.id, powerStates.nostate)
      assert.deepEqual(await driver.list(), [])
      await driver.spawn(spec, { power_on: true })
      await expectState(spec.id, powerStates.running)
      for (const _ of [1, 2]) await driver.bringBack(spec.id)
      await expectState(spec.id, powerStates.shutdown)
      await driver.start(spec)
      await driver.setAside(spec.id, 0)
      for (const _ of [1, 2]) await driver.dropAside(spec.id)
      await driver.bringBack(spec.id)
      await expectState(spec.id, powerStates.nostate)
      await driver.setAside(spec.id, 0)
      assert.deepEqual(eventsOf(spec.id), [])
      await driver.spawn(spec, { power_on: false })
      await driver.setAside(spec.id, 0)
      await gone(spec.id)
    })

    it('reshapes a guest: disks come, grow and go, and the machine is what the spec says', async () => {
      const spec = await booted()
      const blank = { source: { type: 'blank' as const }, boot_index: -1 }
      const [root] = spec.disks
      const larger = {
        ...spec,
        memory_mb: spec.memory_mb * 2,
        disks: [
          { ...root!, size_gb: 2 },
          { id: 'ephemeral0', size_gb: 1, ...blank },
        ],
      }
      for (const _ of [1, 2]) await driver.reshape(larger, { power_on: false, grace_seconds: 0 })
      await expectState(spec.id, powerStates.shutdown)
      await driver.start(larger)
      const facts = await driver.diagnostics(spec.id)
      assert.equal(facts.num_disks, 2)
      assert.equal((facts.memory_details as { maximum: number }).maximum, larger.memory_mb)
      const smaller = { ...larger, disks: [root!] }
      await assert.rejects(driver.reshape(smaller, { power_on: true, grace_seconds: 0 }), GuestError)
      await driver.reshape({ ...larger, disks: [larger.disks[0]!] }, { power_on: true, grace_seconds: 0 })
      assert.equal((await driver.diagnostics(spec.id)).num_disks, 1)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('boots a guest from another disk to rescue it, with its own beside, and as before afterwards', async () => {
      const spec = await booted()
      const [root] = spec.disks
      const rescue = {
        ...spec,
        disks: [
          { ...root!, id: 'rescue' },
          { ...root!, boot_index: -1 },
        ],
      }
      await driver.reshape(rescue, { power_on: true, grace_seconds: 0 })
      assert.equal((await driver.diagnostics(spec.id)).num_disks, 2)
      await bootsTimes(spec, 2)
      await driver.reshape(spec, { power_on: true, grace_seconds: 0 })
      assert.equal((await driver.diagnostics(spec.id)).num_disks, 1)
      await bootsTimes(spec, 3)
      await gone(spec.id)
    })

    it('makes a guest of a copy of what is aside, which may grow while the first stays as it was', async () => {
      const spec = await booted()
      await driver.setAside(spec.id, 0)
      const [root] = spec.disks
      const larger = { ...spec, memory_mb: spec.memory_mb * 2, disks: [{ ...root!, size_gb: 2 }] }
      for (const _ of [1, 2]) await driver.sendAside(spec.id, await driver.prepareIncoming(larger), {})
      await expectState(spec.id, powerStates.shutdown)
      await driver.reshape(larger, { power_on: true, grace_seconds: 0 })
      await expectState(spec.id, powerStates.running)
      await driver.bringBack(spec.id)
      await driver.start(spec)
      const facts = await driver.diagnostics(spec.id)
      assert.equal((facts.memory_details as { maximum: number }).maximum, spec.memory_mb)
      await assert.rejects(driver.sendAside(spec.id, await driver.prepareIncoming(spec), {}), GuestError)
      await driver.destroy(spec.id)
      await gone(spec.id)
    })

    it('refuses what makes no sense with an error fit for a user, and knows no guest it was not given', async () => {
      const unknown = host.spec()
      await expectState(unknown.id, powerStates.nostate)
      const refused = [
        driver.start(unknown),
        driver.stop(unknown.id, 0),
        driver.pause(unknown.id),
        driver.consoleLog(unknown.id),
        driver.snapshot(unknown.id, 'raw'),
        driver.reshape(unknown, { power_on: true, grace_seconds: 0 }),
        driver.changePassword(unknown.id, 'root', 'secret'),
        driver.resetNetwork(unknown.id, []),
        driver.guestSystem(unknown.id),
        driver.runInGuest(unknown.id, { path: 'true', args: [], wait_ms: 1000 }),
        driver.writeInGuest(unknown.id, '/tmp/a', 'text'),
        driver.agentVersion(unknown.id),
        driver.forceMigration(unknown.id),
        driver.attachNic(unknown.id, { port_id: 'p', mac: 'fa:16:3e:00:00:98', mtu: 1500 }),
      ]
      await Promise.all(refused.map(each => assert.rejects(each, GuestError)))
    })

    it('refuses an image larger than the disk, and leaves nothing', async () => {
      const spec = host.spec()
      const [disk] = spec.disks
      assert.ok(disk?.source.type === 'image')
      const image = { ...disk.source.image, id: 'too-large', size: 5 * 1024 ** 3 }
      const large = { ...spec, disks: [{ ...disk, source: { type: 'image' as const, image } }] }
      await assert.rejects(driver.spawn(large, { power_on: true }), GuestError)
      await gone(spec.id)
    })

    it('leaves nothing of a spawn that was aborted', async () => {
      const spec = host.spec()
      const signal = AbortSignal.abort(new Error('deleted meanwhile'))
      await assert.rejects(driver.spawn(spec, { power_on: true, signal }), /deleted meanwhile/)
      await gone(spec.id)
    })

    it('finds its guests again after the control process died', async () => {
      const [runs, paused, suspended, off] = await Promise.all([booted(), booted(), booted(), booted()])
      await driver.pause(paused.id)
      await driver.suspend(suspended.id)
      await driver.stop(off.id, 0)
      driver = await host.reopen()
      driver.onEvent(event => events.push(event))
      const found = new Map((await driver.recover()).map(guest => [guest.id, guest.power_state]))
      assert.deepEqual(
        [runs, paused, suspended, off].map(spec => found.get(spec.id)),
        [powerStates.running, powerStates.paused, powerStates.suspended, powerStates.shutdown],
      )
      assert.equal(found.size, 4)
      await driver.unpause(paused.id)
      await driver.resume(suspended)
      await driver.start(off)
      assert.equal(count(await driver.consoleLog(runs.id), host.bootText), 1)
      await host.crash(runs.id)
      await eventually('the event', () => eventsOf(runs.id).length > 0)
      assert.deepEqual(eventsOf(runs.id), [powerStates.crashed])
      for (const spec of [runs, paused, suspended, off]) await gone(spec.id)
    })

    it('fetches an image before any guest needs it', async () => {
      const [root] = host.spec().disks
      if (root?.source.type !== 'image') return assert.fail('guests of this contract are made of an image')
      await driver.purgeImageCache(0)
      assert.equal(await driver.cacheImage(root.source.image), 'cached')
      assert.equal(await driver.cacheImage(root.source.image), 'existing')
      assert.ok((await driver.purgeImageCache(0)) > 0)
    })

    it('frees cached images that no guest uses', async () => {
      const spec = await booted()
      assert.equal(await driver.purgeImageCache(0), 0)
      await gone(spec.id)
      assert.equal(await driver.purgeImageCache(3_600_000), 0)
      assert.ok((await driver.purgeImageCache(0)) > 0)
      assert.equal(await driver.purgeImageCache(0), 0)
      await driver.spawn(spec, { power_on: true })
      await gone(spec.id)
    })
  })
}

async function read(stream: AsyncIterable<Buffer>): Promise<{ start: Buffer; size: number }> {
  let start: Buffer = Buffer.alloc(0)
  let size = 0
  for await (const part of stream) {
    if (size === 0) start = part.subarray(0, 4)
    size += part.length
  }
  return { start, size }
}
