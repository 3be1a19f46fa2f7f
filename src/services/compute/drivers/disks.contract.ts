/** What every virt driver must do with the disks of guests: copied, kept, set aside, reshaped; and with images. A part of its contract. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Stage } from './contract-stage.ts'
import { GuestError, powerStates } from './driver.ts'

export function diskStories(at: Stage): void {
  const { booted, bootsTimes, gone, expectState, eventsOf } = at

  it('snapshots a running guest and one that is off', async () => {
    const spec = await booted()
    assert.equal((await read(await at.driver.snapshot(spec.id, 'qcow2'))).start.toString('latin1'), 'QFI\xfb')
    await expectState(spec.id, powerStates.running)
    await at.driver.stop(spec.id, 0)
    assert.equal((await read(await at.driver.snapshot(spec.id, 'raw'))).size % 512, 0)
    await expectState(spec.id, powerStates.shutdown)
    await gone(spec.id)
  })

  it('backs up what changed since a backup that it has kept count from, else the whole disk', async () => {
    const spec = await booted()
    const bytes = spec.disks[0]!.size_gb * 1024 ** 3
    const backup = async (image_id: string, since?: string, of = bytes) => {
      const made = await at.driver.backup(spec.id, {
        image_id,
        ...(since && { since: { image_id: since, bytes: of } }),
      })
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
    await at.driver.stop(spec.id, 0)
    assert.equal((await backup('off', 'again')).base, 'again')
    await at.driver.start(spec)
    assert.equal((await backup('on', 'off')).base, 'off')
    await at.reopen()
    await at.driver.recover()
    assert.equal((await backup('reopened', 'on')).base, 'on')
    await at.driver.suspend(spec.id)
    assert.equal((await backup('saved', 'reopened')).base, 'reopened')
    await at.driver.resume(spec)
    assert.equal((await backup('resumed', 'saved')).base, 'saved')
    assert.equal((await backup('larger', 'resumed', 2 * bytes)).base, undefined, 'the disk has another size')
    await gone(spec.id)
    await at.driver.spawn(spec, { power_on: true })
    assert.equal((await backup('new', 'larger')).base, undefined, 'a new disk')
    await gone(spec.id)
  })

  it('keeps the disks of a guest that is destroyed, copies them, and lets them go', async () => {
    const spec = await booted()
    await at.driver.purgeImageCache(0)
    const keep = { until: '2999-01-01T00:00:00.000Z', free_percent: 0 }
    for (let twice = 0; twice < 2; twice++) await at.driver.destroy(spec.id, keep)
    await expectState(spec.id, powerStates.nostate)
    const [kept, ...others] = await at.driver.keptFiles()
    assert.deepEqual([kept?.id, kept?.until, others], [spec.id, keep.until, []])
    assert.ok(kept!.bytes > 0)
    assert.equal(await at.driver.purgeImageCache(0), 0, 'the disk stands on its image')
    assert.equal((await read(await at.driver.snapshotKept(spec.id, 'qcow2'))).start.toString('latin1'), 'QFI\xfb')
    const raw = await read(await at.driver.snapshotKept(spec.id, 'raw'))
    assert.ok(raw.size > 0 && raw.size % 512 === 0)
    assert.deepEqual(await at.driver.purgeKept(), [])
    for (let twice = 0; twice < 2; twice++) await at.driver.dropKept(spec.id)
    assert.deepEqual(await at.driver.keptFiles(), [])
    await assert.rejects(at.driver.snapshotKept(spec.id, 'raw'), GuestError)

    const over = await booted()
    await at.driver.destroy(over.id, { until: '2001-01-01T00:00:00.000Z', free_percent: 0 })
    assert.deepEqual(await at.driver.purgeKept(), [over.id])
    for (const { id } of [spec, over]) await gone(id)
    await at.driver.destroy('never-there', keep)
    assert.deepEqual(await at.driver.keptFiles(), [])
  })

  it('sets a guest aside, lets another take its place, and brings it back', async () => {
    const spec = await booted()
    for (const _ of [1, 2]) await at.driver.setAside(spec.id, 0)
    await expectState(spec.id, powerStates.nostate)
    assert.deepEqual(await at.driver.list(), [])
    await at.driver.spawn(spec, { power_on: true })
    await expectState(spec.id, powerStates.running)
    for (const _ of [1, 2]) await at.driver.bringBack(spec.id)
    await expectState(spec.id, powerStates.shutdown)
    await at.driver.start(spec)
    await at.driver.setAside(spec.id, 0)
    for (const _ of [1, 2]) await at.driver.dropAside(spec.id)
    await at.driver.bringBack(spec.id)
    await expectState(spec.id, powerStates.nostate)
    await at.driver.setAside(spec.id, 0)
    assert.deepEqual(eventsOf(spec.id), [])
    await at.driver.spawn(spec, { power_on: false })
    await at.driver.setAside(spec.id, 0)
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
    for (const _ of [1, 2]) await at.driver.reshape(larger, { power_on: false, grace_seconds: 0 })
    await expectState(spec.id, powerStates.shutdown)
    await at.driver.start(larger)
    const facts = await at.driver.diagnostics(spec.id)
    assert.equal(facts.num_disks, 2)
    assert.equal((facts.memory_details as { maximum: number }).maximum, larger.memory_mb)
    const smaller = { ...larger, disks: [root!] }
    await assert.rejects(at.driver.reshape(smaller, { power_on: true, grace_seconds: 0 }), GuestError)
    await at.driver.reshape({ ...larger, disks: [larger.disks[0]!] }, { power_on: true, grace_seconds: 0 })
    assert.equal((await at.driver.diagnostics(spec.id)).num_disks, 1)
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
    await at.driver.reshape(rescue, { power_on: true, grace_seconds: 0 })
    assert.equal((await at.driver.diagnostics(spec.id)).num_disks, 2)
    await bootsTimes(spec, 2)
    await at.driver.reshape(spec, { power_on: true, grace_seconds: 0 })
    assert.equal((await at.driver.diagnostics(spec.id)).num_disks, 1)
    await bootsTimes(spec, 3)
    await gone(spec.id)
  })

  it('makes a guest of a copy of what is aside, which may grow while the first stays as it was', async () => {
    const spec = await booted()
    await at.driver.setAside(spec.id, 0)
    const [root] = spec.disks
    const larger = { ...spec, memory_mb: spec.memory_mb * 2, disks: [{ ...root!, size_gb: 2 }] }
    for (const _ of [1, 2]) await at.driver.sendAside(spec.id, await at.driver.prepareIncoming(larger), {})
    await expectState(spec.id, powerStates.shutdown)
    await at.driver.reshape(larger, { power_on: true, grace_seconds: 0 })
    await expectState(spec.id, powerStates.running)
    await at.driver.bringBack(spec.id)
    await at.driver.start(spec)
    const facts = await at.driver.diagnostics(spec.id)
    assert.equal((facts.memory_details as { maximum: number }).maximum, spec.memory_mb)
    await assert.rejects(at.driver.sendAside(spec.id, await at.driver.prepareIncoming(spec), {}), GuestError)
    await at.driver.destroy(spec.id)
    await gone(spec.id)
  })

  it('refuses an image larger than the disk, and leaves nothing', async () => {
    const spec = at.host.spec()
    const [disk] = spec.disks
    assert.ok(disk?.source.type === 'image')
    const image = { ...disk.source.image, id: 'too-large', size: 5 * 1024 ** 3 }
    const large = { ...spec, disks: [{ ...disk, source: { type: 'image' as const, image } }] }
    await assert.rejects(at.driver.spawn(large, { power_on: true }), GuestError)
    await gone(spec.id)
  })

  it('fetches an image before any guest needs it', async () => {
    const [root] = at.host.spec().disks
    if (root?.source.type !== 'image') return assert.fail('guests of this contract are made of an image')
    await at.driver.purgeImageCache(0)
    assert.equal(await at.driver.cacheImage(root.source.image), 'cached')
    assert.equal(await at.driver.cacheImage(root.source.image), 'existing')
    assert.ok((await at.driver.purgeImageCache(0)) > 0)
  })

  it('frees cached images that no guest uses', async () => {
    const spec = await booted()
    assert.equal(await at.driver.purgeImageCache(0), 0)
    await gone(spec.id)
    assert.equal(await at.driver.purgeImageCache(3_600_000), 0)
    assert.ok((await at.driver.purgeImageCache(0)) > 0)
    assert.equal(await at.driver.purgeImageCache(0), 0)
    await at.driver.spawn(spec, { power_on: true })
    await gone(spec.id)
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
