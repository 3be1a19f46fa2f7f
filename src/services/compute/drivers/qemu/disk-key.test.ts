/** Encrypted disks: what a guest writes is not in the file, and the key is nowhere but with who may have it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { GuestError, type GuestSpec } from '../driver.ts'
import { untilMeasured } from './disk-key.ts'
import { booted, boots, type Host, openHost, skip, until } from './test-host.ts'

const disk_key = 'a key that is told to nobody'

describe('QEMU driver with encrypted disks', { skip: skip ?? false }, () => {
  let host: Host
  before(async () => {
    host = await openHost()
  })
  after(() => host.close())

  const header = (spec: GuestSpec, disk: string) =>
    JSON.parse(
      execFileSync('qemu-img', ['info', '-U', '--output=json', join(host.instances, spec.id, `disk-${disk}.qcow2`)], {
        encoding: 'utf8',
      }),
    ) as { encrypted?: boolean }

  /** All that the host keeps of the guest as text, the commands of its processes included. */
  function everything(spec: GuestSpec): string {
    const dir = join(host.instances, spec.id)
    const files = (readdirSync(dir, { recursive: true, withFileTypes: true }) as import('node:fs').Dirent[])
      .filter(entry => entry.isFile())
      .map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    return [...files, execFileSync('ps', ['-eo', 'args', '-ww'], { encoding: 'utf8' })].join('\n')
  }

  it('boots, restarts, grows and is set aside with its key, which is kept nowhere', async () => {
    const swap = { id: 'swap', source: { type: 'blank' as const }, size_gb: 1 / 64, boot_index: -1 }
    const spec = await booted(host, { disk_key, disks: [...host.spec().disks, swap] })
    for (const disk of ['root', 'swap']) assert.equal(header(spec, disk).encrypted, true, disk)
    assert.ok(!everything(spec).includes(disk_key))
    assert.deepEqual(
      readdirSync('/dev/shm').filter(name => name.startsWith('nephos-key-')),
      [],
    )
    await host.driver.reboot(spec, 'hard', 0)
    await until('the second boot', async () => (await boots(host.driver, spec.id)) === 2)
    const grown = { ...spec, disks: spec.disks.map(disk => (disk.id === 'root' ? { ...disk, size_gb: 2 } : disk)) }
    await host.driver.reshape(grown, { power_on: true, grace_seconds: 0 })
    await until('the third', async () => (await boots(host.driver, spec.id)) === 3)
    await host.driver.setAside(spec.id, 0)
    await host.driver.sendAside(spec.id, await host.driver.prepareIncoming(grown), {})
    await host.driver.start(grown)
    await host.driver.destroy(spec.id)
  })

  it('is not opened without the key or with another, and not copied to where it would be plain', async () => {
    const spec = await booted(host, { disk_key })
    await assert.rejects(host.driver.snapshot(spec.id, 'qcow2'), /encrypted/)
    await host.driver.stop(spec.id, 0)
    const { disk_key: _, ...without } = spec
    await assert.rejects(
      host.driver.start(without),
      new GuestError('The disks of the guest are encrypted, and their key was not sent.'),
    )
    await assert.rejects(host.driver.start({ ...spec, disk_key: 'another' }), /QEMU did not start/)
    await host.driver.start(spec)
    await host.driver.destroy(spec.id)
  })
})

describe('a file that QEMU encrypts', () => {
  /** Fails so many times, then gives how often it was called. */
  const failing = (times: number, message: string) => {
    let calls = 0
    const create = () =>
      ++calls <= times ? Promise.reject(new GuestError(`qemu-img failed: ${message}`)) : Promise.resolve(calls)
    return { create, calls: () => calls }
  }

  it('is made again while QEMU cannot measure the hash, a bounded number of times', async () => {
    const unmeasured = 'disk.qcow2: Unable to get accurate CPU usage'
    assert.equal(await untilMeasured(failing(3, unmeasured).create), 4)
    const never = failing(Infinity, unmeasured)
    await assert.rejects(untilMeasured(never.create), /accurate CPU usage/)
    assert.equal(never.calls(), 10)
  })

  it('fails at once for any other reason', async () => {
    const other = failing(1, 'disk.qcow2: Permission denied')
    await assert.rejects(untilMeasured(other.create), /Permission denied/)
    assert.equal(other.calls(), 1)
  })
})
