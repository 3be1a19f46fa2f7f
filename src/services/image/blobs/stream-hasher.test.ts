/** Bytes that go by are hashed in a thread that nobody waits for longer than it lives. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { streamHasher } from './stream-hasher.ts'

const mebibytes = (count: number) => Buffer.alloc(count * 1024 * 1024, 'a piece of an image')

test('what is more than may wait is hashed whole', async () => {
  await using hasher = streamHasher(['md5', 'sha256'])
  const [md5, sha256] = [createHash('md5'), createHash('sha256')]
  for (let piece = 0; piece < 12; piece++) {
    md5.update(mebibytes(1))
    sha256.update(mebibytes(1))
    await hasher.update(mebibytes(1))
  }
  assert.deepEqual(await hasher.digests(), [md5.digest('hex'), sha256.digest('hex')])
})

test('who waits for a thread that ends is told, and so is who comes later', async () => {
  const hasher = streamHasher(['md5'])
  const waiting = assert.rejects(hasher.update(mebibytes(8)), /ended early/)
  await hasher[Symbol.asyncDispose]()
  await waiting
  await assert.rejects(hasher.update(mebibytes(8)), /ended early/)
  await assert.rejects(hasher.digests(), /ended early/)
})
