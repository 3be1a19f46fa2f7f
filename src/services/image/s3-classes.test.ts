/** What an S3 server sees of uploads and copies: parts at the same time, storage classes, and copies that it makes itself. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { type S3Server, s3Server } from '../../../test/s3/server.ts'
import { imageCloud, upload } from './fixtures/image-cloud.ts'
import { s3Witness } from './fixtures/s3-witness.ts'

const server = await s3Server()
const skip = 'missing' in server ? server.missing : false
after(async () => {
  if (!('missing' in server)) await server[Symbol.asyncDispose]()
})

const bytes = randomBytes(23 * 1024 * 1024)
const md5 = createHash('md5').update(bytes).digest('hex')

test('a big image goes in parts at the same time, of the class that its owner chose (S-297, S-298)', {
  skip,
}, async () => {
  await using s3 = await s3Witness(server as S3Server)
  await using s = await imageCloud(openSqlite(':memory:'), s3.set)
  const { id } = await s.make({ store_class: 'reduced' })
  const put = (image: string, body: Buffer) => s.call<string>(s.mine, 'PUT', `/v2/images/${image}/file`, upload(body))
  assert.equal((await put(id, bytes)).status, 204)
  const { status, checksum } = (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
  assert.deepEqual([status, checksum], ['active', md5])
  const parts = s3.seen.filter(({ what }) => what.includes('partNumber'))
  assert.equal(parts.length, 5)
  assert.ok(
    parts.some(part => part.beside > 0),
    'none overlapped',
  )
  const begun = s3.seen.find(({ what }) => what.startsWith('POST') && what.includes('uploads'))!
  assert.equal(begun.headers['x-amz-storage-class'], 'REDUCED_REDUNDANCY')
  const plain = await s.make()
  await put(plain.id, Buffer.from('few'))
  assert.equal(s3.seen.at(-1)!.headers['x-amz-storage-class'], undefined)
  const unknown = await s.make({ store_class: 'marvellous' })
  const refused = await put(unknown.id, Buffer.from('few'))
  assert.equal(refused.status, 400)
  assert.match(refused.body, /one of standard, reduced/)
})

test('a copy within the server is the server’s own: no byte passes (S-300)', { skip }, async () => {
  await using s3 = await s3Witness(server as S3Server)
  await using s = await imageCloud(openSqlite(':memory:'), s3.set)
  const { id } = await s.make()
  assert.equal((await s.call(s.mine, 'PUT', `/v2/images/${id}/file`, upload(bytes))).status, 204)
  const before = s3.seen.length
  const body = { method: { name: 'copy-image' }, stores: ['second'] }
  assert.equal((await s.call(s.admin, 'POST', `/v2/images/${id}/import`, { body })).status, 202)
  await s.cloud.env.sagas.idle()
  const { stores } = (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
  assert.equal(stores, 'bucket,second')
  const since = s3.seen.slice(before)
  assert.ok(since.some(({ headers }) => headers['x-amz-copy-source'] !== undefined))
  assert.ok(
    since.every(({ what }) => !what.startsWith('GET /images/one/')),
    'it was read',
  )
  assert.ok(since.reduce((sum, one) => sum + one.bytes, 0) < 1_000_000)
  assert.equal((await s.call(s.admin, 'DELETE', `/v2/stores/bucket/${id}`)).status, 204)
  const saved = await s.call<string>(s.mine, 'GET', `/v2/images/${id}/file`)
  assert.equal(saved.status, 200)
  assert.equal(saved.headers['content-md5'], md5)
})
