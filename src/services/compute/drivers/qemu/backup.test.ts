/** Backups by QEMU's dirty bitmaps: what they hold, that a disk is made of a chain of them, and that nothing that happens to a host costs a change. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { type GuestSpec, type ImageSpec, powerStates, type StoredBytes } from '../driver.ts'
import { connectQmp } from './qmp.ts'
import { bootSector, memoryImages } from './test-guest.ts'
import { booted, clock, type Host, openHost, skip, until } from './test-host.ts'

const mebibyte = 1024 ** 2
const size = 1024 * mebibyte

describe('backups of guests under QEMU', { skip: skip ?? false }, () => {
  const kept = new Map([['boot-sector', bootSector()]])
  let host: Host
  before(async () => {
    host = await openHost({ images: memoryImages(kept) })
  })
  after(() => host.close())

  const diskOf = ({ id }: GuestSpec) => join(host.instances, id, 'disk-root.qcow2')
  const write = (spec: GuestSpec, ...commands: string[]) =>
    execFileSync('qemu-io', ['-f', 'qcow2', ...commands.flatMap(command => ['-c', command]), diskOf(spec)])

  /** Made and kept as the image service does. */
  async function backup(spec: GuestSpec, image_id: string, since?: string) {
    const order = { image_id, ...(since && { since: { image_id: since, bytes: size } }) }
    const made = await host.driver.backup(spec.id, order)
    const bytes = await buffer(made.bytes)
    kept.set(image_id, bytes)
    return { base: made.base, bytes: bytes.length }
  }

  function stored(id: string): StoredBytes {
    const bytes = kept.get(id)!
    const hash_value = createHash('sha256').update(bytes).digest('hex')
    return { id, size: bytes.length, hash_algo: 'sha256', hash_value }
  }
  const chain = (id: string, ...bases: string[]): ImageSpec => ({
    ...stored(id),
    ...{ disk_format: 'qcow2', properties: {}, bases: bases.map(stored) },
  })

  it('holds what changed, and a guest made of the chain boots from the disk as it was', async () => {
    const spec = await booted(host)
    await host.driver.stop(spec.id, 0)
    write(spec, 'write -P 1 100M 20M', 'write -P 2 300M 4M')
    const first = await backup(spec, 'first')
    assert.ok(first.bytes > 24 * mebibyte)

    // New data, and data that is there no more: zeros and holes are changes too.
    write(spec, 'write -P 3 110M 10M', 'write -z 300M 1M', 'discard 301M 1M')
    const second = await backup(spec, 'second', 'first')
    assert.equal(second.base, 'first')
    assert.ok(second.bytes >= 10 * mebibyte && second.bytes < 11 * mebibyte, `${second.bytes} bytes`)
    write(spec, 'write -P 4 900M 64k')
    const third = await backup(spec, 'third', 'second')
    assert.ok(third.base === 'second' && third.bytes < mebibyte)

    const source = { type: 'image' as const, image: chain('third', 'second', 'first') }
    const restored = await booted(host, { disks: [{ ...spec.disks[0]!, source }] })
    await host.driver.stop(restored.id, 0)
    assert.match(String(execFileSync('qemu-img', ['compare', diskOf(spec), diskOf(restored)])), /identical/)
    assert.equal(readdirSync(join(host.dir, 'images')).filter(name => name.includes('part')).length, 0)
    for (const { id } of [spec, restored]) await host.driver.destroy(id)
  })

  it('counts what a guest writes while it runs, also while nobody watches', async () => {
    const spec = await booted(host)
    await backup(spec, 'before')
    await host.driver[Symbol.asyncDispose]()
    const qmp = await connectQmp(join(host.instances, spec.id, 'run/qmp'), clock)
    for (const command of ['write -P 5 200M 3M', 'write -P 6 700M 64k', 'flush']) {
      // As the guest's own device does it.
      const line = `qemu-io -d /machine/peripheral/disk-root-device/virtio-backend "${command}"`
      assert.doesNotMatch(await qmp.execute<string>('human-monitor-command', { 'command-line': line }), /rror|failed/)
    }
    qmp.close()
    await host.reopen()
    await host.driver.recover()
    const changes = await backup(spec, 'changes', 'before')
    assert.equal(changes.base, 'before')
    assert.ok(changes.bytes > 3 * mebibyte && changes.bytes < 4 * mebibyte, `${changes.bytes} bytes`)
    assert.equal(await host.driver.state(spec.id), powerStates.running)

    const source = { type: 'image' as const, image: chain('changes', 'before') }
    const restored = await booted(host, { disks: [{ ...spec.disks[0]!, source }] })
    for (const { id } of [spec, restored]) await host.driver.stop(id, 0)
    assert.match(String(execFileSync('qemu-img', ['compare', diskOf(spec), diskOf(restored)])), /identical/)
    for (const { id } of [spec, restored]) await host.driver.destroy(id)
  })

  it('refuses a chain with other bytes in it than were stored, or that names a file of the host', async () => {
    const other = { ...stored('first'), hash_value: stored('second').hash_value }
    await assert.rejects(host.driver.cacheImage({ ...chain('second'), bases: [other] }), /corrupt/)
    const naming = Buffer.from(kept.get('second')!)
    naming.writeBigUInt64BE(512n, 8)
    naming.writeUInt32BE(11, 16)
    naming.write('/etc/passwd', 512)
    kept.set('naming', naming)
    await assert.rejects(host.driver.cacheImage(chain('naming', 'first')), /refers to a backing file/)
    await assert.rejects(host.driver.cacheImage(chain('second', 'naming')), /refers to a backing file/)
  })

  it('makes a whole one when its QEMU died, since what changed is not known then', async () => {
    const spec = await booted(host)
    await backup(spec, 'alive')
    await host.crash(spec.id)
    await until('the end of the guest', async () => (await host.driver.state(spec.id)) === powerStates.crashed)
    assert.equal((await backup(spec, 'dead', 'alive')).base, undefined)
    assert.equal((await backup(spec, 'again', 'dead')).base, 'dead')
    await host.driver.destroy(spec.id)
  })
})
