/** What the image service gives the others, and the files that it keeps true. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../test/engines.ts'
import { testCloud } from '../../../test/harness.ts'

async function stage(database: Database) {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-test-'))
  const directory = join(folder, 'images')
  const cloud = await testCloud({ database, set: [`image.directory=${directory}`] })
  return {
    cloud,
    image: cloud.env.services.image,
    folder,
    files: () => readdir(directory),
    directory,
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

const tiny = { name: 'tiny', disk_format: 'raw', container_format: 'bare', min_disk: 1, min_ram: 64 }

onEachEngine('a public image is made of a file once, however many ask', async database => {
  await using s = await stage(database)
  const path = join(s.folder, 'disk.raw')
  await writeFile(path, Buffer.alloc(4096, 'disk'))
  const file = { ...tiny, path, properties: { os_distro: 'nephos-tiny' } }
  assert.equal(await s.image.findPublic(s.cloud.ctx(), 'tiny'), undefined)
  const made = await Promise.all([1, 2, 3].map(() => s.image.ensureFromFile(s.cloud.ctx(), file)))
  const [first] = made
  assert.deepEqual(new Set(made.map(m => m.id)).size, 1)
  assert.equal(first!.status, 'active')
  assert.equal(first!.size, 4096)
  assert.equal(first!.min_ram, 64)
  assert.deepEqual(first!.properties, { os_distro: 'nephos-tiny' })
  assert.deepEqual(await s.image.findPublic(s.cloud.ctx(), 'tiny'), first)
  assert.equal((await s.files()).length, 1)
  const bytes = await buffer(await s.image.open(s.cloud.env, first!.id))
  assert.equal(bytes.toString(), Buffer.alloc(4096, 'disk').toString())
})

onEachEngine('a file that cannot be read or is not what it says makes no image', async database => {
  await using s = await stage(database)
  const path = join(s.folder, 'disk')
  const file = { ...tiny, disk_format: 'qcow2', path }
  await assert.rejects(s.image.ensureFromFile(s.cloud.ctx(), file), /ENOENT/)
  await writeFile(path, 'no qcow2')
  await assert.rejects(s.image.ensureFromFile(s.cloud.ctx(), file), /disk_format is qcow2 but its content is raw/)
  assert.deepEqual(await s.files(), [])
  assert.equal(await s.image.findPublic(s.cloud.ctx(), 'tiny'), undefined)
})

onEachEngine('another service makes, fills, opens and removes an image', async database => {
  await using s = await stage(database)
  const ctx = s.cloud.ctx()
  const made = await s.image.create(ctx, { ...tiny, visibility: 'private' })
  assert.equal(made.status, 'queued')
  await assert.rejects(s.image.open(ctx, made.id), /is not active/)
  const filled = await s.image.upload(ctx, made.id, Readable.from([Buffer.from('some '), Buffer.from('bytes')]))
  assert.equal(filled.status, 'active')
  assert.equal(filled.size, 10)
  assert.equal(filled.os_hash_algo, 'sha512')
  assert.deepEqual(await s.image.get(ctx, made.id), filled)
  assert.deepEqual([...(await s.image.many(ctx, [made.id, 'unknown'])).keys()], [made.id])
  await s.image.remove(ctx, made.id)
  await s.image.remove(ctx, made.id)
  await assert.rejects(s.image.get(ctx, made.id), /No image found with ID/)
})

onEachEngine('an upload that breaks off leaves the image queued and nothing on the disk', async database => {
  await using s = await stage(database)
  const ctx = s.cloud.ctx()
  const { id } = await s.image.create(ctx, { ...tiny, visibility: 'private' })
  async function* broken() {
    yield Buffer.from('half')
    throw new Error('the line went dead')
  }
  await assert.rejects(s.image.upload(ctx, id, Readable.from(broken())), /the line went dead/)
  assert.equal((await s.image.get(ctx, id)).status, 'queued')
  assert.deepEqual(await s.files(), [])
  assert.equal((await s.image.upload(ctx, id, Readable.from(['whole']))).status, 'active')
})

onEachEngine('what a crash leaves is cleaned up: the file goes, the image is queued again', async database => {
  await using s = await stage(database)
  const ctx = s.cloud.ctx()
  const kept = await s.image.create(ctx, { ...tiny, visibility: 'private' })
  await s.image.upload(ctx, kept.id, Readable.from(['kept']))
  const died = await s.image.create(ctx, { ...tiny, visibility: 'private' })
  const long = new Date(Date.UTC(2020, 0, 1))
  await database.root
    .updateTable('image_images')
    .set({ status: 'saving', blob: `${died.id}.00000000`, alive_at: long.toISOString() })
    .where('id', '=', died.id)
    .execute()
  const [blob] = await s.files()
  const left = [`${died.id}.00000000.part`, `${died.id}.11111111`]
  for (const name of [...left, 'README']) await writeFile(join(s.directory, name), 'x')
  for (const name of [...left, blob!, 'README']) await utimes(join(s.directory, name), long, long)
  await writeFile(join(s.directory, `${died.id}.22222222.part`), 'young')
  await s.cloud.reconcile('image.orphan-files')
  assert.deepEqual((await s.files()).sort(), [blob!, `${died.id}.22222222.part`, 'README'].sort())
  assert.equal((await s.image.get(ctx, died.id)).status, 'queued')
  assert.equal((await s.image.get(ctx, kept.id)).status, 'active')
})
