/** What images have in common is kept once (S-301). */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { chunkStore } from './chunk-store.ts'
import { imageCloud, upload } from './fixtures/image-cloud.ts'

const MiB = 1024 * 1024

async function place() {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-chunks-'))
  return {
    folder,
    /** MiB on the disk, each file once however many names it has. */
    async used() {
      const files = new Map<number, number>()
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) {
          const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined)
          if (found) files.set(found.ino, found.blocks * 512)
        }
      return Math.round([...files.values()].reduce((sum, size) => sum + size, 0) / MiB)
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

test('two images of 100 MiB that differ in one take 101 in the store', async () => {
  await using p = await place()
  const stores = { shared: { type: 'chunks', directory: p.folder } }
  await using s = await imageCloud(openSqlite(':memory:'), [
    `image.stores=${JSON.stringify(stores)}`,
    'image.default_store=shared',
  ])
  const first = randomBytes(100 * MiB)
  const second = Buffer.from(first)
  randomBytes(MiB).copy(second, 40 * MiB)
  const put = async (bytes: Buffer) => {
    const { id } = await s.make()
    assert.equal((await s.call(s.mine, 'PUT', `/v2/images/${id}/file`, upload(bytes))).status, 204)
    return id
  }
  const one = await put(first)
  assert.equal(await p.used(), 100)
  const other = await put(second)
  assert.equal(await p.used(), 101)
  assert.deepEqual(await s.files(), [], 'nothing stays where it landed')

  const range = { range: `bytes=${41 * MiB - 3}-${41 * MiB + 2}` }
  for (const [id, bytes] of [
    [one, first],
    [other, second],
  ] as const) {
    const part = await s.cloud.request('GET', `/image/v2/images/${id}/file`, { token: s.mine.token, headers: range })
    assert.equal(part.status, 206)
    const whole = await s.cloud.env.services.image.open(s.cloud.env, id)
    let at = 0
    for await (const piece of whole) {
      assert.ok(bytes.subarray(at, at + piece.length).equals(piece))
      at += piece.length
    }
    assert.equal(at, bytes.length)
  }
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${one}`)).status, 204)
  const shrunk = async (to: number) => {
    for (let tries = 0; (await p.used()) > to; tries++) {
      assert.ok(tries < 1000, `more than ${to} MiB stay in the store`)
      await s.cloud.env.clock.sleep(20)
    }
  }
  await shrunk(100)
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${other}`)).status, 204)
  await shrunk(0)
})

test('what a killed process has left of an image goes with its chunks', async () => {
  await using p = await place()
  const source = join(p.folder, 'source')
  await writeFile(source, randomBytes(3 * MiB + 5))
  const directory = join(p.folder, 'store')
  const blob = 'blob.1'
  const stopped = new AbortController()
  let parts = 0
  const progressed = () => void (++parts === 2 && stopped.abort(new Error('killed')))
  await assert.rejects(chunkStore(directory).put(blob, source, { progressed, signal: stopped.signal }))
  const next = chunkStore(directory)
  assert.deepEqual(
    (await next.list()).map(one => one.name),
    [`${blob}.part`],
  )
  await next.remove(`${blob}.part`)
  await rm(source)
  assert.equal(await p.used(), 0)
})
