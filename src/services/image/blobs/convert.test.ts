/** Imported disks are converted to the cloud's format, by the real qemu-img; hostile ones never reach it. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { type ImageCloud, imageCloud } from '../fixtures/image-cloud.ts'
import { at, bring, direct, idle, show, stage, tasksOf } from '../fixtures/imports.ts'

const skip = spawnSync('qemu-img', ['--version']).error ? 'qemu-img is not installed' : false
const folder = await mkdtemp(join(tmpdir(), 'nephos-image-convert-'))
after(() => rm(folder, { recursive: true }))
const mebibyte = 1024 * 1024

/** A disk of a mebibyte that says something. */
async function disk(format: string, options: string[] = [], name = `disk.${format}`): Promise<Buffer> {
  const path = join(folder, name)
  execFileSync('qemu-img', ['create', '-q', '-f', format, ...options, path, '1M'])
  if (options.length === 0)
    execFileSync('qemu-io', ['-f', format, '-c', 'write -P 0x4e 4096 4096', path], { stdio: 'ignore' })
  return readFile(path)
}

async function imported(s: ImageCloud, disk_format: string, bytes: Buffer, more: object = {}) {
  const { id } = await s.make({ disk_format, ...more })
  assert.equal((await stage(s, id, bytes)).status, 204)
  assert.equal((await bring(s, id, direct)).status, 202)
  await idle(s)
  return { image: await show(s, id), message: (await tasksOf(s, id))[0]!.message }
}

const bytesOf = async (s: ImageCloud, id: string) => {
  const { token } = s.mine
  const answer = await s.cloud.http.inject({ url: `/image${at(id)}/file`, headers: { 'x-auth-token': token } })
  return answer.rawPayload
}

test('disks of every format become raw ones with the same content', { skip }, async () => {
  await using s = await imageCloud(openSqlite(':memory:'), ['image.convert_imports_to=raw'])
  const raw = await disk('raw')
  assert.equal(raw[5000], 0x4e)
  for (const [disk_format, format] of Object.entries({ qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhdx: 'vhdx' })) {
    const { image, message } = await imported(s, disk_format, await disk(format))
    assert.deepEqual([image.status, image.disk_format], ['active', 'raw'], `${format}: ${message}`)
    assert.deepEqual([image.size, image.virtual_size], [mebibyte, mebibyte])
    assert.ok(raw.equals(await bytesOf(s, image.id)), format)
    assert.deepEqual((await s.files()).length, 1)
    await s.call(s.mine, 'DELETE', at(image.id))
    while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
  }
})

test('raw disks become qcow2; optical ones, containers and signed ones stay what they are', { skip }, async () => {
  await using s = await imageCloud(openSqlite(':memory:'), ['image.convert_imports_to=qcow2'])
  const { image } = await imported(s, 'raw', await disk('raw'))
  assert.deepEqual([image.status, image.disk_format, image.virtual_size], ['active', 'qcow2', mebibyte])
  assert.equal((await bytesOf(s, image.id)).subarray(0, 3).toString(), 'QFI')
  const optical = Buffer.alloc(40_000)
  optical.write('CD001', 32_769)
  assert.equal((await imported(s, 'iso', optical)).image.disk_format, 'iso')
  assert.equal((await imported(s, 'raw', optical, { container_format: 'ova' })).image.disk_format, 'raw')
  assert.equal((await imported(s, 'raw', Buffer.from('signed'), { img_signature: 'of these bytes' })).image.size, 6)
  const uploaded = await s.make()
  await s.fill(uploaded.id, 'not imported')
  assert.equal((await show(s, uploaded.id)).disk_format, 'raw')
})

test('what reaches out of itself, lies or does not fit is not converted, also where all is kept', {
  skip,
}, async () => {
  const lax = ['image.convert_imports_to=raw', 'image.require_format_match=false', 'image.refuse_unsafe=false']
  await using s = await imageCloud(openSqlite(':memory:'), [...lax, 'image.max_size_bytes=900000'])
  const refused: [string, Buffer, RegExp][] = [
    ['qcow2', await disk('qcow2', ['-b', '/etc/passwd', '-F', 'raw']), /not safe to convert: it has a backing file/],
    ['vmdk', await disk('vmdk', ['-o', 'subformat=monolithicFlat']), /not safe to convert: .* refers to other files/],
    ['vmdk', await disk('qcow2', ['-o', 'compat=1.1'], 'a'), /declared to be vmdk, but its content is qcow2/],
    ['raw', await disk('qcow2', ['-o', 'compat=1.1'], 'b'), /declared to be raw, but its content is qcow2/],
    [
      'qcow2',
      await disk('qcow2', ['-o', 'compat=1.1'], 'c'),
      /the disk inside has 1048576 bytes, and there is room for 900000/,
    ],
  ]
  for (const [format, bytes, why] of refused) {
    const { image, message } = await imported(s, format, bytes)
    assert.match(message, why)
    assert.deepEqual([image.status, image.size], ['queued', null])
    while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
  }
})
