/** The image cache on a host. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, test } from 'node:test'
import { settle, virtualClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import type { ImageSource } from '../driver.ts'
import type { QemuHost } from './host.ts'
import { boundOf, cachedName, imageCache } from './image-cache.ts'
import { qcow2VirtualSize } from './qcow2.ts'
import { imageOf } from './test-guest.ts'

const bytes = Buffer.from('the bytes of an image')
const image = imageOf('a', bytes)
const clock = virtualClock()
const never = new AbortController().signal
let host: QemuHost

beforeEach(() => {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-images-'))
  const paths = { dir, images: join(dir, 'images'), instances: join(dir, 'instances') }
  mkdirSync(paths.images)
  host = { ...paths, qemu: 'none', log: silentLog(), clock, user: undefined }
})
afterEach(() => rmSync(host.dir, { recursive: true }))

/** A source whose bytes come when the test says so. */
function slowSource(): ImageSource & { finish(): void; opened: number; begun(times: number): Promise<void> } {
  const streams: Readable[] = []
  return {
    opened: 0,
    async open() {
      this.opened++
      const stream = new Readable({ read() {} })
      streams.push(stream)
      return stream
    },
    async begun(times) {
      while (this.opened < times) await settle()
    },
    finish() {
      for (const stream of streams.filter(each => !each.destroyed)) {
        stream.push(bytes)
        stream.push(null)
      }
    },
  }
}

test('an image is downloaded once, by whoever waits for it, and is complete when it has its name', async () => {
  const source = slowSource()
  const cache = imageCache(host, source)
  const waiting = Promise.all([cache.fetch(image, never), cache.fetch(image, never)])
  await source.begun(1)
  assert.equal(source.opened, 1)
  source.finish()
  const [name] = await waiting
  assert.deepEqual(readFileSync(join(host.images, name)), bytes)
  assert.deepEqual(readdirSync(host.images), [cachedName(image)])
  await cache.fetch(image, never)
  assert.equal(source.opened, 1)
})

test('one that gives up does not end the download of the other', async () => {
  const source = slowSource()
  const cache = imageCache(host, source)
  const impatient = new AbortController()
  const first = cache.fetch(image, impatient.signal)
  const second = cache.fetch(image, never)
  await source.begun(1)
  impatient.abort(new Error('deleted'))
  await assert.rejects(first, /deleted/)
  source.finish()
  assert.equal(await second, cachedName(image))
})

test('when the last one gives up the download ends, leaves nothing, and can begin again', async () => {
  const source = slowSource()
  const cache = imageCache(host, source)
  const impatient = new AbortController()
  const fetching = cache.fetch(image, impatient.signal)
  await source.begun(1)
  impatient.abort(new Error('deleted'))
  await assert.rejects(fetching, /deleted/)
  const again = cache.fetch(image, never)
  await source.begun(2)
  source.finish()
  await again
  assert.deepEqual(readdirSync(host.images), [cachedName(image)])
})

test('wrong bytes never get a name', async () => {
  const sources: [Buffer, RegExp][] = [
    [Buffer.from('the bytes of an imagE'), /digest/],
    [bytes.subarray(1), /size/],
    [Buffer.concat([bytes, bytes]), /size/],
  ]
  for (const [wrong, message] of sources) {
    const cache = imageCache(host, { open: async () => Readable.from([wrong]) })
    await assert.rejects(cache.fetch(image, never), message)
    assert.deepEqual(readdirSync(host.images), [])
  }
})

test('images age when no guest uses them, and only then', async () => {
  const cache = imageCache(host, { open: async () => Readable.from([bytes]) })
  const used = await cache.fetch(image, never)
  const unused = await cache.fetch(imageOf('b', bytes), never)
  await clock.advance(59_000)
  assert.equal(await cache.purge(60_000, [used]), 0)
  await clock.advance(1000)
  assert.equal(await cache.purge(60_000, [used]), bytes.length)
  assert.deepEqual(readdirSync(host.images), [used])
  assert.notEqual(used, unused)
  await clock.advance(59_000)
  assert.equal(await cache.purge(60_000, []), 0)
  await clock.advance(1000)
  assert.equal(await cache.purge(60_000, []), bytes.length)
})

test('a purge that hangs is a process of its own: the host answers meanwhile', async () => {
  const cache = imageCache(host, { open: async () => Readable.from([bytes]) })
  const [used, unused] = [await cache.fetch(image, never), await cache.fetch(imageOf('b', bytes), never)]
  await clock.advance(60_000)
  // Reading this record takes for as long as nobody writes it, as on a disk that has failed.
  const record = join(host.instances, 'a', 'guest.json')
  mkdirSync(join(host.instances, 'a'), { recursive: true })
  execFileSync('mkfifo', [record])
  const purged = cache.purge(60_000, [])
  const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean)
  const commands = () => children().map(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  while (!commands().some(command => command.includes('purge-images.ts'))) await settle()
  assert.ok(await cache.has(image))
  const another = await cache.fetch(imageOf('c', bytes), never)
  await writeFile(record, JSON.stringify({ revision: 1, machine: {}, images: [used] }))
  assert.equal(await purged, bytes.length)
  assert.deepEqual(readdirSync(host.images).sort(), [used, another].sort())
  assert.notEqual(used, unused)
})

const qemuImg = spawnSync('qemu-img', ['--version']).error ? 'qemu-img is not installed' : false

test('an image of another format is converted once; one that cannot be leaves nothing', { skip: qemuImg }, async () => {
  execFileSync('qemu-img', ['create', '-q', '-f', 'vdi', join(host.dir, 'disk'), '1M'])
  const disk = readFileSync(join(host.dir, 'disk'))
  const stored = imageOf('c', disk, { disk_format: 'qcow2', stored_as: 'vdi' })
  let opened = 0
  const source = { open: async () => Readable.from([opened++ === 0 ? disk : Buffer.alloc(0)]) }
  const cache = imageCache(host, source)
  const name = await cache.fetch(stored, never)
  assert.equal(await qcow2VirtualSize(join(host.images, name)), 1024 * 1024)
  assert.deepEqual(readdirSync(host.images), [name])
  assert.ok(await cache.has(stored))
  assert.equal(await cache.fetch(stored, never), name)
  assert.equal(opened, 1)
  const broken = imageOf('d', bytes, { disk_format: 'qcow2', stored_as: 'vdi' })
  await assert.rejects(
    imageCache(host, { open: async () => Readable.from([bytes]) }).fetch(broken, never),
    /qemu-img failed/,
  )
  assert.deepEqual(readdirSync(host.images), [name])
})

test('a small file with a large disk inside takes no more of the host than the image says', {
  skip: qemuImg,
}, async () => {
  const plain = join(host.dir, 'plain')
  writeFileSync(plain, Buffer.alloc(16 * 1024 * 1024, 'a'))
  const packed = [
    'convert',
    '-f',
    'raw',
    '-O',
    'vmdk',
    '-o',
    'subformat=streamOptimized',
    plain,
    join(host.dir, 'packed'),
  ]
  execFileSync('qemu-img', packed)
  const disk = readFileSync(join(host.dir, 'packed'))
  assert.ok(disk.length < 1024 * 1024)
  const cache = imageCache(host, { open: async () => Readable.from([disk]) })
  const image = (id: string, virtual_size: number) =>
    imageOf(id, disk, { disk_format: 'qcow2', stored_as: 'vmdk', virtual_size })
  await assert.rejects(cache.fetch(image('e', 1024 * 1024), never), /is corrupt: it holds more than the 1048576 bytes/)
  assert.deepEqual(readdirSync(host.images), [])
  const name = await cache.fetch(image('f', 16 * 1024 * 1024), never)
  assert.equal(await qcow2VirtualSize(join(host.images, name)), 16 * 1024 * 1024)
})

test('where the host has less room than the disk may take, that is the bound, and another host is tried', () => {
  const gibibyte = 1024 ** 3
  const { fileBytes, tooLarge } = boundOf({ id: 'x', virtual_size: 40 * gibibyte }, 2 * gibibyte)
  assert.equal(fileBytes, 2 * gibibyte)
  assert.match(
    tooLarge().message,
    /no room for image x, whose disk is larger than its file: 409\d\d MB needed, 2048 MB free/,
  )
  assert.equal(tooLarge().retryElsewhere, true)
  assert.equal(boundOf({ id: 'x' }, 2 * gibibyte).fileBytes, 2 * gibibyte)
})
