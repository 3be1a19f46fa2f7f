/** The QEMU driver when its control process is killed in the middle of something: the next one finishes it, and nothing leaks. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { type GuestSpec, type PowerState, powerStates, type VirtDriver } from '../driver.ts'
import { findProcesses } from './process.ts'
import type { CrashOperation } from './test-crash.ts'
import { booted, boots, clock, type Host, openHost, skip, until } from './test-host.ts'

describe('QEMU driver whose control process is killed', { skip: skip ?? false }, () => {
  let host: Host
  before(async () => {
    host = await openHost()
  })
  after(() => host.close())

  /** Runs `operation` in a process of its own and kills that `ms` after it began. */
  async function killedDuring(operation: CrashOperation, spec: GuestSpec, ms: number) {
    const script = join(import.meta.dirname, 'test-crash.ts')
    const child = spawn(process.execPath, [script, host.dir, operation, JSON.stringify(spec)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'close')
    await once(child.stdout, 'data')
    await clock.sleep(ms)
    child.kill('SIGKILL')
    await ended
  }

  const afterFirst = { since: { image_id: 'first', bytes: 1024 ** 3 } }
  const done: Record<CrashOperation, (driver: VirtDriver, spec: GuestSpec) => Promise<unknown>> = {
    spawn: (driver, spec) => driver.spawn(spec, { power_on: true }),
    destroy: (driver, spec) => driver.destroy(spec.id),
    suspend: (driver, spec) => driver.suspend(spec.id),
    resume: (driver, spec) => driver.resume(spec),
    snapshot: async (driver, spec) => {
      for await (const _ of await driver.snapshot(spec.id, 'qcow2'));
    },
    // Nothing that was counted before is lost.
    backup: async (driver, spec) => {
      const { bytes, base } = await driver.backup(spec.id, { ...afterFirst, image_id: 'second' })
      for await (const _ of bytes);
      assert.equal(base, afterFirst.since.image_id)
    },
  }
  const finalState: Record<CrashOperation, PowerState> = {
    spawn: powerStates.running,
    destroy: powerStates.nostate,
    suspend: powerStates.suspended,
    resume: powerStates.running,
    snapshot: powerStates.running,
    backup: powerStates.shutdown,
  }

  for (const operation of ['spawn', 'destroy', 'suspend', 'resume', 'snapshot', 'backup'] as const) {
    it(`finishes a ${operation} that was cut off at any moment`, async () => {
      for (const ms of [1, 15, 40, 100]) {
        const spec = host.spec()
        if (operation !== 'spawn') {
          await host.driver.spawn(spec, { power_on: true })
          await until('the boot', async () => (await boots(host.driver, spec.id)) === 1)
        }
        if (operation === 'resume') await host.driver.suspend(spec.id)
        if (operation === 'backup') {
          for await (const _ of (await host.driver.backup(spec.id, { image_id: afterFirst.since.image_id })).bytes);
          await host.driver.stop(spec.id, 0)
        }
        await host.driver[Symbol.asyncDispose]()
        await killedDuring(operation, spec, ms)
        const driver = await host.reopen()
        await driver.recover()
        await done[operation](driver, spec)
        assert.equal(await driver.state(spec.id), finalState[operation], `${operation} after ${ms} ms`)
        if (operation === 'suspend') await driver.resume(spec)
        if (operation !== 'destroy' && operation !== 'spawn') assert.equal(await boots(driver, spec.id), 1)
        await driver.destroy(spec.id)
        assert.deepEqual(await host.remains(spec.id), [])
        assert.deepEqual(readdirSync(host.instances), [])
      }
    })
  }

  it('counts a guest whose QEMU hangs as running, works with it when it answers again, and can delete it', async () => {
    const spec = await booted(host)
    const { pid } = (await findProcesses(host.instances, systemClock())).get(spec.id)!
    process.kill(pid, 'SIGSTOP')
    const driver = await host.reopen()
    assert.deepEqual(await driver.recover(), [{ id: spec.id, power_state: powerStates.running }])
    process.kill(pid, 'SIGCONT')
    await driver.pause(spec.id)
    assert.equal(await driver.state(spec.id), powerStates.paused)
    process.kill(pid, 'SIGSTOP')
    await driver.destroy(spec.id)
    assert.deepEqual(await host.remains(spec.id), [])
  })
})
