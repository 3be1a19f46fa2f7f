/** What every virt driver must do, as one suite of tests: run with the fake driver and with each real one. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { describe, it } from 'node:test'
import { type DriverUnderTest, eventually, stageOf } from './contract-stage.ts'
import { cpuTraits } from './cpu-traits.ts'
import { diskStories } from './disks.contract.ts'
import { type ConsoleEndpoint, GuestError, type NicSpec, powerStates } from './driver.ts'

async function firstBytes(endpoint: ConsoleEndpoint): Promise<string> {
  const socket = endpoint.type === 'unix' ? createConnection(endpoint.path) : createConnection(endpoint)
  const [chunk] = await once(socket, 'data')
  socket.destroy()
  return String(chunk)
}

const count = (text: string, part: string) => text.split(part).length - 1

export function driverContract(name: string, open: () => Promise<DriverUnderTest>, options: { skip?: string } = {}) {
  describe(`virt driver contract: ${name}`, { skip: options.skip ?? false }, () => {
    const at = stageOf(open)
    const { booted, bootsTimes, gone, expectState, eventsOf } = at

    it('says what the host has', async () => {
      const facts = await at.driver.facts()
      assert.ok(facts.vcpus >= 1 && facts.memory_mb >= 256 && facts.disk_gb >= 1)
      assert.match(facts.hypervisor_hostname, /./)
      assert.ok(facts.traits.includes('COMPUTE_NODE'))
      const ofCpu = facts.traits.filter(trait => trait.startsWith('HW_CPU_X86_'))
      assert.deepEqual(ofCpu.sort(), cpuTraits(facts.cpu_info.features))
      assert.ok(Number.isInteger(facts.hypervisor_version))
    })

    it('spawns a guest, once, however often it is asked, and destroys it without a trace', async () => {
      const spec = await booted()
      await at.driver.spawn(spec, { power_on: true })
      await expectState(spec.id, powerStates.running)
      assert.deepEqual(await at.driver.list(), [{ id: spec.id, power_state: powerStates.running }])
      assert.equal(count(await at.driver.consoleLog(spec.id), at.host.bootText), 1)
      await gone(spec.id)
      await at.driver.destroy(spec.id)
      assert.deepEqual(eventsOf(spec.id), [])
    })

    it('keeps a guest off when it is spawned off, then starts and stops it', async () => {
      const spec = at.host.spec()
      await at.driver.spawn(spec, { power_on: false })
      await expectState(spec.id, powerStates.shutdown)
      await at.driver.start(spec)
      await at.driver.start(spec)
      await expectState(spec.id, powerStates.running)
      await bootsTimes(spec, 1)
      await at.driver.stop(spec.id, 60)
      await expectState(spec.id, powerStates.shutdown)
      await at.driver.stop(spec.id, 60)
      await at.driver.start(spec)
      await at.driver.stop(spec.id, 0)
      await expectState(spec.id, powerStates.shutdown)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('pauses and unpauses', async () => {
      const spec = await booted()
      for (const _ of [1, 2]) await at.driver.pause(spec.id)
      await expectState(spec.id, powerStates.paused)
      for (const _ of [1, 2]) await at.driver.unpause(spec.id)
      await expectState(spec.id, powerStates.running)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('suspends to disk and resumes where it was', async () => {
      const spec = await booted()
      for (const _ of [1, 2]) await at.driver.suspend(spec.id)
      await expectState(spec.id, powerStates.suspended)
      await assert.rejects(at.driver.start(spec), GuestError)
      for (const _ of [1, 2]) await at.driver.resume(spec)
      await expectState(spec.id, powerStates.running)
      assert.equal(count(await at.driver.consoleLog(spec.id), at.host.bootText), 1)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('reboots softly and hard, also a guest that is off', async () => {
      const spec = await booted()
      await at.driver.reboot(spec, 'soft', 60)
      await bootsTimes(spec, 2)
      await at.driver.reboot(spec, 'hard', 0)
      await bootsTimes(spec, 3)
      await at.driver.stop(spec.id, 0)
      await at.driver.reboot(spec, 'hard', 0)
      await bootsTimes(spec, 4)
      await expectState(spec.id, powerStates.running)
      assert.deepEqual(eventsOf(spec.id), [])
      await gone(spec.id)
    })

    it('tells when a guest switches itself off, and when it dies', async () => {
      const spec = await booted()
      await at.host.powerOff(spec.id)
      await eventually('the event', () => eventsOf(spec.id).length > 0)
      assert.deepEqual(eventsOf(spec.id), [powerStates.shutdown])
      await expectState(spec.id, powerStates.shutdown)
      await at.driver.start(spec)
      await at.host.crash(spec.id)
      await eventually('the event', () => eventsOf(spec.id).length > 1)
      assert.deepEqual(eventsOf(spec.id), [powerStates.shutdown, powerStates.crashed])
      await expectState(spec.id, powerStates.crashed)
      await at.driver.start(spec)
      await expectState(spec.id, powerStates.running)
      await gone(spec.id)
    })

    it('gives the console log, whole or its last lines', async () => {
      const spec = await booted()
      const whole = await at.driver.consoleLog(spec.id)
      const lines = whole.replace(/\n$/, '').split('\n')
      assert.equal((await at.driver.consoleLog(spec.id, 2)).replace(/\n$/, ''), lines.slice(-2).join('\n'))
      assert.equal(await at.driver.consoleLog(spec.id, 0), '')
      assert.equal(await at.driver.consoleLog(spec.id, 1_000_000), whole)
      await gone(spec.id)
    })

    it('gives a VNC and a serial console to connect to while the guest runs', async () => {
      const spec = await booted()
      assert.equal(await firstBytes(await at.driver.console(spec.id, 'vnc')), 'RFB 003.008\n')
      assert.match((await at.driver.console(spec.id, 'serial')).type, /^(unix|tcp)$/)
      await at.driver.stop(spec.id, 0)
      await assert.rejects(at.driver.console(spec.id, 'vnc'), GuestError)
      await gone(spec.id)
    })

    it('attaches a NIC once, whether the guest runs or not', async () => {
      const spec = await booted()
      const nic: NicSpec = { port_id: 'a1f0c1d2-0000-4000-8000-000000000001', mac: 'fa:16:3e:00:00:99', mtu: 1450 }
      const nics = async () => (await at.driver.diagnostics(spec.id)).num_nics
      for (const _ of [1, 2]) await at.driver.attachNic(spec.id, nic)
      assert.equal(await nics(), spec.nics.length + 1)
      await at.driver.stop(spec.id, 0)
      await at.driver.attachNic(spec.id, nic)
      for (const _ of [1, 2]) await at.driver.detachNic(spec.id, nic.port_id)
      await at.driver.start(spec)
      assert.equal(await nics(), spec.nics.length)
      await gone(spec.id)
    })

    it('gives diagnostics and injects an NMI only while the guest runs', async () => {
      const spec = await booted()
      const facts = await at.driver.diagnostics(spec.id)
      assert.equal(facts.state, 'running')
      assert.equal(facts.num_cpus, spec.vcpus)
      assert.equal(facts.num_disks, spec.disks.length)
      await at.driver.injectNmi(spec.id)
      await at.driver.stop(spec.id, 0)
      await assert.rejects(at.driver.diagnostics(spec.id), GuestError)
      await assert.rejects(at.driver.injectNmi(spec.id), GuestError)
      await gone(spec.id)
    })

    it('refuses what makes no sense with an error fit for a user, and knows no guest it was not given', async () => {
      const unknown = at.host.spec()
      await expectState(unknown.id, powerStates.nostate)
      const refused = [
        at.driver.start(unknown),
        at.driver.stop(unknown.id, 0),
        at.driver.pause(unknown.id),
        at.driver.consoleLog(unknown.id),
        at.driver.snapshot(unknown.id, 'raw'),
        at.driver.reshape(unknown, { power_on: true, grace_seconds: 0 }),
        at.driver.changePassword(unknown.id, 'root', 'secret'),
        at.driver.resetNetwork(unknown.id, []),
        at.driver.guestSystem(unknown.id),
        at.driver.runInGuest(unknown.id, { path: 'true', args: [], wait_ms: 1000 }),
        at.driver.writeInGuest(unknown.id, '/tmp/a', 'text'),
        at.driver.agentVersion(unknown.id),
        at.driver.forceMigration(unknown.id),
        at.driver.attachNic(unknown.id, { port_id: 'p', mac: 'fa:16:3e:00:00:98', mtu: 1500 }),
      ]
      await Promise.all(refused.map(each => assert.rejects(each, GuestError)))
    })

    it('leaves nothing of a spawn that was aborted', async () => {
      const spec = at.host.spec()
      const signal = AbortSignal.abort(new Error('deleted meanwhile'))
      await assert.rejects(at.driver.spawn(spec, { power_on: true, signal }), /deleted meanwhile/)
      await gone(spec.id)
    })

    it('finds its guests again after the control process died', async () => {
      const [runs, paused, suspended, off] = await Promise.all([booted(), booted(), booted(), booted()])
      await at.driver.pause(paused.id)
      await at.driver.suspend(suspended.id)
      await at.driver.stop(off.id, 0)
      await at.reopen()
      const found = new Map((await at.driver.recover()).map(guest => [guest.id, guest.power_state]))
      assert.deepEqual(
        [runs, paused, suspended, off].map(spec => found.get(spec.id)),
        [powerStates.running, powerStates.paused, powerStates.suspended, powerStates.shutdown],
      )
      assert.equal(found.size, 4)
      await at.driver.unpause(paused.id)
      await at.driver.resume(suspended)
      await at.driver.start(off)
      assert.equal(count(await at.driver.consoleLog(runs.id), at.host.bootText), 1)
      await at.host.crash(runs.id)
      await eventually('the event', () => eventsOf(runs.id).length > 0)
      assert.deepEqual(eventsOf(runs.id), [powerStates.crashed])
      for (const spec of [runs, paused, suspended, off]) await gone(spec.id)
    })

    diskStories(at)
  })
}
