/** Uploads that break off and are gone on with. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ImageCloud, imageCloud, listening, upload } from '../fixtures/image-cloud.ts'

const bytes = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => i % 251))
const md5 = createHash('md5').update(bytes).digest('hex')
const all = bytes.length
const show = async (s: ImageCloud, id: string) => (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
const put = (s: ImageCloud, id: string, range: string, body: Buffer | string = '') =>
  s.call<string>(s.mine, 'PUT', `/v2/images/${id}/file`, upload(body, { 'content-range': range }))
const partSize = async (s: ImageCloud, id: string) => (await put(s, id, `bytes */${all}`)).headers.range

/** Sends the bytes from `first` on, and breaks off before `end`. */
async function breakOff(s: ImageCloud, url: string, id: string, first: number, end: number): Promise<void> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(
    `PUT /image/v2/images/${id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${s.mine.token}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Range: bytes ${first}-${all - 1}/${all}\r\n` +
      `Content-Length: ${all - first}\r\n\r\n`,
  )
  socket.write(bytes.subarray(first, end))
  while ((await partSize(s, id)) !== `bytes=0-${end - 1}`) await s.cloud.env.clock.sleep(5)
  socket.destroy()
  await once(socket, 'close')
}

onEachEngine('an upload that broke off, twice, goes on from where it was', async database => {
  await using s = await imageCloud(database)
  const url = await listening(s)
  const { id } = await s.make()
  assert.equal(await partSize(s, id), undefined, 'nothing is here')
  await breakOff(s, url, id, 0, 300_000)
  assert.equal((await show(s, id)).status, 'saving')
  assert.equal((await s.call(s.mine, 'PUT', `/v2/images/${id}/file`, upload(bytes))).status, 409)
  await breakOff(s, url, id, 300_000, 700_000)
  assert.equal(await partSize(s, id), 'bytes=0-699999')

  const tooFar = await put(s, id, `bytes 800000-${all - 1}/${all}`, bytes.subarray(800_000))
  assert.deepEqual([tooFar.status, tooFar.headers.range], [416, 'bytes=0-699999'])
  assert.equal((await put(s, id, `bytes 650000-${all - 1}/${all}`, bytes.subarray(650_000))).status, 204)
  const image = await show(s, id)
  assert.deepEqual([image.status, image.size, image.checksum], ['active', all, md5])
  assert.equal((await s.files()).length, 1)
  assert.equal((await put(s, id, `bytes */${all}`)).status, 204, 'who missed the answer is told')
  const late = await put(s, id, `bytes 650000-${all - 1}/${all}`, bytes.subarray(650_000))
  assert.equal(late.status, 409)
})

onEachEngine('a rest that is none is refused, and what does not go on is forgotten', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  for (const range of ['bytes 0-4/10', 'bytes 10-9/10', 'bytes 5/10', 'lines 0-9/10', 'bytes 0-9/*'])
    assert.equal((await put(s, id, range, 'bytes')).status, 400, range)
  assert.equal((await put(s, id, 'bytes 5-9/10', 'bytes')).status, 409)
  assert.equal((await put(s, id, 'bytes 0-9/10', 'bytes')).status, 400, 'not all of it')
  assert.equal((await show(s, id)).status, 'queued')
  assert.deepEqual(await s.files(), [])
  const url = await listening(s)
  await breakOff(s, url, id, 0, 300_000)
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 204)
  const gone = await put(s, id, `bytes 300000-${all - 1}/${all}`, bytes.subarray(300_000))
  assert.equal(gone.status, 404)
})
