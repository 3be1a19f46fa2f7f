/** The bytes of an image: in, out, in part, too many, broken off, staged. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ImageCloud, imageCloud, listening, upload } from '../fixtures/image-cloud.ts'

const show = async (s: ImageCloud, id: string) => (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
const put = (s: ImageCloud, id: string, bytes: unknown, headers?: Record<string, string>) =>
  s.call(s.mine, 'PUT', `/v2/images/${id}/file`, upload(bytes, headers))

onEachEngine('what is uploaded is hashed, kept and given back, whole or in part', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  const file = `/v2/images/${id}/file`
  assert.equal((await s.call(s.mine, 'GET', file)).status, 204, 'no bytes yet')
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `${i % 7}`).join(''))
  await s.fill(id, Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)]))
  const image = await show(s, id)
  assert.equal(image.status, 'active')
  assert.equal(image.size, 300_000)
  assert.equal(image.virtual_size, 300_000)
  assert.equal(image.checksum, createHash('md5').update(bytes).digest('hex'))
  assert.equal(image.os_hash_algo, 'sha512')
  assert.equal(image.os_hash_value, createHash('sha512').update(bytes).digest('hex'))
  assert.equal(image.stores, 'file')

  const whole = await s.call<string>(s.mine, 'GET', file)
  assert.equal(whole.status, 200)
  assert.ok(whole.body === bytes.toString())
  assert.equal(whole.headers['content-type'], 'application/octet-stream')
  assert.equal(whole.headers['content-md5'], image.checksum)
  const head = await s.call<string>(s.mine, 'HEAD', file)
  assert.equal(head.headers['content-length'], '300000')
  assert.equal(head.body, '')

  const ranges: [string, string, number, number][] = [
    ['bytes=1000-1999', 'bytes 1000-1999/300000', 1000, 2000],
    ['bytes=299990-', 'bytes 299990-299999/300000', 299_990, 300_000],
    ['bytes=-5', 'bytes 299995-299999/300000', 299_995, 300_000],
    ['bytes=299999-400000', 'bytes 299999-299999/300000', 299_999, 300_000],
  ]
  for (const [range, shown, start, end] of ranges) {
    const part = await s.call<string>(s.mine, 'GET', file, { headers: { range } })
    assert.equal(part.status, 206)
    assert.equal(part.headers['content-range'], shown)
    assert.equal(part.headers['content-length'], String(end - start))
    assert.equal(part.body, bytes.toString().slice(start, end))
  }
  for (const range of ['bytes=300000-', 'bytes=5-1', 'bytes=-0', 'bytes=-', 'lines=1-2', 'bytes=1-2,4-5'])
    assert.equal((await s.call(s.mine, 'GET', file, { headers: { range } })).status, 416, range)

  const etag = whole.headers.etag!
  const conditional = (headers: Record<string, string>) => s.call<string>(s.mine, 'GET', file, { headers })
  assert.equal((await conditional({ 'if-none-match': etag })).status, 304)
  assert.equal((await conditional({ 'if-none-match': '"other"' })).status, 200)
  assert.equal((await conditional({ range: 'bytes=5-', 'if-range': etag })).status, 206)
  assert.equal((await conditional({ range: 'bytes=5-', 'if-range': '"other"' })).status, 200)

  const again = await put(s, id, 'other bytes')
  assert.equal(again.status, 409)
  assert.match(String(again.body), /transition from active to saving is not allowed/)
})

onEachEngine('an upload that cannot be is refused and the image stays as it was', async database => {
  await using s = await imageCloud(database, ['image.max_size_bytes=1000'])
  const { id } = await s.make()
  const refused = async (status: number, bytes: unknown, headers?: Record<string, string>) => {
    const answer = await put(s, id, bytes, headers)
    assert.equal(answer.status, status)
    assert.equal((await show(s, id)).status, 'queued')
    assert.deepEqual(await s.files(), [])
    return String(answer.body)
  }
  assert.match(await refused(415, 'x', { 'content-type': 'text/plain' }), /application\/octet-stream/)
  assert.match(await refused(413, Buffer.alloc(1001)), /too large/)
  assert.match(await refused(400, 'four', { 'x-openstack-image-size': '5' }), /4 bytes, but 5/)
  assert.match(await refused(400, 'four', { 'x-openstack-image-size': 'many' }), /Invalid or missing image size/)
  const bare = await s.call(s.mine, 'POST', '/v2/images', { body: { name: 'no formats' } })
  const unformatted = await put(s, bare.body.id, 'x')
  assert.equal(unformatted.status, 400)
  assert.match(String(unformatted.body), /disk_format, container_format must be set/)
  assert.equal((await put(s, id, Buffer.alloc(1000), { 'x-openstack-image-size': '1000' })).status, 204)
})

onEachEngine('a project has no more images and bytes than its quota, however it tries', async database => {
  await using s = await imageCloud(database, ['image.project_bytes=3145728', 'image.project_images=3'])
  const made = [await s.make(), await s.make(), await s.make()]
  const fourth = await s.call(s.mine, 'POST', '/v2/images', { body: {} })
  assert.equal(fourth.status, 413)
  const answers = await Promise.all(made.map(({ id }) => put(s, id, Buffer.alloc(2 * 1024 * 1024))))
  assert.deepEqual(answers.map(a => a.status).sort(), [204, 413, 413])
  const left = made[answers.findIndex(a => a.status === 413)]!
  const usage = (await s.call<{ usage: unknown }>(s.mine, 'GET', '/v2/info/usage')).body.usage
  assert.deepEqual(usage, {
    image_size_total: { limit: 3, usage: 2 },
    image_stage_total: { limit: 3, usage: 0 },
    image_count_total: { limit: 3, usage: 3 },
    image_count_uploading: { limit: -1, usage: 0 },
  })
  assert.equal((await put(s, left.id, Buffer.alloc(1024 * 1024 + 1))).status, 413)
  assert.equal((await put(s, left.id, Buffer.alloc(1024 * 1024))).status, 204)
  assert.equal((await s.files()).length, 2)
})

onEachEngine('of two uploads to one image one wins; a deleted image takes its upload with it', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  const slow = new Readable({ read() {} })
  const first = put(s, id, slow)
  while ((await show(s, id)).status !== 'saving') await s.cloud.env.clock.sleep(5)
  assert.equal((await put(s, id, 'mine')).status, 409)
  slow.push('bytes')
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 204)
  slow.push(null)
  assert.equal((await first).status, 410)
  assert.deepEqual(await s.files(), [])
})

onEachEngine('a client that goes away in the middle leaves nothing', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  const url = new URL(await listening(s))
  const socket = connect(Number(url.port), url.hostname)
  socket.write(
    `PUT /image/v2/images/${id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${s.mine.token}\r\n` +
      'Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\nsome bytes',
  )
  while ((await s.files()).length === 0) await s.cloud.env.clock.sleep(5)
  socket.destroy()
  await once(socket, 'close')
  while ((await show(s, id)).status !== 'queued') await s.cloud.env.clock.sleep(5)
  assert.deepEqual(await s.files(), [])
})

onEachEngine('an upload from which nothing comes any more is given up', async database => {
  const clock = virtualClock()
  await using s = await imageCloud(database, ['image.stale_upload_seconds=30'], clock)
  const { id } = await s.make()
  const silent = new Readable({ read() {} })
  const answer = put(s, id, silent)
  while ((await s.files()).length === 0) await new Promise(setImmediate)
  const given = assert.rejects(answer, /no data came for 30 seconds/)
  await clock.advance(60_000)
  await given
  while ((await show(s, id)).status !== 'queued') await new Promise(setImmediate)
  assert.deepEqual(await s.files(), [])
})

onEachEngine('a body that is refused is read on, so that its sender gets the answer', async database => {
  await using s = await imageCloud(database, ['image.max_size_bytes=1000'])
  const { id } = await s.make()
  const answer = await fetch(`${await listening(s)}/image/v2/images/${id}/file`, {
    method: 'PUT',
    body: Buffer.alloc(20 * 1024 * 1024),
    headers: { 'x-auth-token': s.mine.token, 'content-type': 'application/octet-stream' },
  })
  assert.equal(answer.status, 413)
  assert.match(await answer.text(), /too large/)
})

onEachEngine('bytes that are too many from the first on leave no file, however many come at once', async database => {
  await using s = await imageCloud(database, ['image.max_size_bytes=10'])
  const made = await Promise.all(Array.from({ length: 40 }, () => s.make()))
  const answers = await Promise.all(made.map(({ id }) => put(s, id, Buffer.alloc(11))))
  assert.deepEqual(new Set(answers.map(a => a.status)), new Set([413]))
  assert.deepEqual(await s.files(), [])
})

onEachEngine('a big image is hashed in a thread of its own, and rightly', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  const piece = Buffer.from(Array.from({ length: 1_000_003 }, (_, i) => i % 251))
  const [md5, sha512] = [createHash('md5'), createHash('sha512')]
  for (let i = 0; i < 20; i++) for (const hash of [md5, sha512]) hash.update(piece)
  await s.fill(id, Readable.from(Array.from({ length: 20 }, () => piece)))
  const image = await show(s, id)
  assert.equal(image.size, 20_000_060)
  assert.deepEqual([image.checksum, image.os_hash_value], [md5.digest('hex'), sha512.digest('hex')])
})

onEachEngine('the files of deleted images are kept for as long as was asked', async database => {
  const clock = virtualClock(Date.now())
  await using s = await imageCloud(database, ['image.delayed_delete_seconds=3600'], clock)
  const { id } = await s.make()
  await s.fill(id, 'bytes')
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 204)
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}`)).status, 404)
  await clock.advance(1_800_000)
  await s.cloud.reconcile('image.orphan-files')
  assert.equal((await s.files()).length, 1)
  await clock.advance(1_801_000)
  await s.cloud.reconcile('image.orphan-files')
  assert.deepEqual(await s.files(), [])
})

onEachEngine(
  'an upload whose file is removed under it fails; when its image was deleted it says so',
  async database => {
    await using s = await imageCloud(database)
    for (const [deleted, status] of [
      [true, 410],
      [false, 500],
    ] as const) {
      const { id } = await s.make()
      const slow = new Readable({ read() {} })
      const answer = put(s, id, slow)
      slow.push('bytes')
      while ((await s.files()).length === 0) await s.cloud.env.clock.sleep(5)
      if (deleted) assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 204)
      for (const name of await s.files()) await rm(join(s.directory, name), { force: true })
      slow.push(null)
      assert.equal((await answer).status, status)
      assert.deepEqual(await s.files(), [])
    }
  },
)
