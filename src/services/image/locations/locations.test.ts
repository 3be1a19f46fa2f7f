/** Images whose bytes are on web servers: by the location API, by patch where the cloud shows locations, and kept near. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { onEachEngine } from '../../../../test/engines.ts'
import { emptyQcow2 } from '../../compute/drivers/fake-disk.ts'
import { type ImageCloud, imageCloud, upload } from '../fixtures/image-cloud.ts'
import { opened, web } from '../fixtures/web.ts'

const bytes = 'bytes of the web'
const hash = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex')
const withWeb = [...opened, 'image.stores={"web":{"type":"http"}}']
const at = (id: string) => `/v2/images/${id}`
const show = async (s: ImageCloud, id: string) => (await s.call(s.mine, 'GET', at(id))).body
const add = (s: ImageCloud, id: string, body: unknown, who: ImageCloud['mine'] | string = s.mine) =>
  s.call<string>(who, 'POST', `${at(id)}/locations`, { body })
const idle = (s: ImageCloud) => s.cloud.env.sagas.idle()
const tasksOf = async (s: ImageCloud, id: string, who: ImageCloud['mine'] | string = s.mine) =>
  (await s.call<{ tasks: { status: string; message: string }[] }>(who, 'GET', `${at(id)}/tasks`)).body.tasks

/** Serves the bytes, parts of them too, and counts how often. */
function disk(): { listener: RequestListener; count: () => number } {
  let served = 0
  const listener: RequestListener = (request, response) => {
    if (!request.url!.startsWith('/disk')) return void response.writeHead(404).end()
    served++
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    if (!range) return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    const part = bytes.slice(Number(range[1]), Number(range[2]) + 1)
    response.writeHead(206, { 'content-length': part.length }).end(part)
  }
  return { listener, count: () => served }
}

onEachEngine('an image is where it is on the web, and what it is is learned by reading it', async database => {
  await using site = await web(disk().listener)
  await using s = await imageCloud(database, withWeb)
  const url = `${site.url}/disk`
  const { id } = await s.make()
  const wrong: unknown[] = [
    {},
    { url: 'cinder://volume' },
    { url, validation_data: { os_hash_value: hash('sha512') } },
    { url, validation_data: { os_hash_algo: 'sha512' } },
    { url, validation_data: { os_hash_algo: 'sha123', os_hash_value: hash('sha512') } },
    { url, validation_data: { os_hash_algo: 'sha512', os_hash_value: hash('sha256') } },
    { url, validation_data: { os_hash_algo: 'sha256', os_hash_value: 'x'.repeat(64) } },
    { url, validation_data: { colour: 'red' } },
  ]
  for (const body of wrong) assert.equal((await add(s, id, body)).status, 400, JSON.stringify(body))
  assert.equal((await add(s, id, { url }, s.other)).status, 404)
  const expected = { os_hash_algo: 'sha256', os_hash_value: hash('sha256') }
  assert.equal((await add(s, id, { url, validation_data: expected })).status, 202)
  assert.equal((await add(s, id, { url })).status, 409)
  await idle(s)
  const image = await show(s, id)
  assert.equal(image.status, 'active')
  assert.deepEqual([image.os_hash_algo, image.os_hash_value], ['sha256', hash('sha256')])
  assert.deepEqual([image.checksum, image.size, image.stores], [hash('md5'), bytes.length, 'web'])
  assert.equal((await tasksOf(s, id))[0]!.status, 'success')
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`)).body as unknown, bytes)
  const headers = { range: 'bytes=2-4' }
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`, { headers })).body as unknown, bytes.slice(2, 5))
  const { body: list } = await s.call<unknown>(s.admin, 'GET', `${at(id)}/locations`)
  assert.deepEqual(list, [{ url, metadata: { store: 'web' } }])
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/locations`)).status, 403)
  assert.equal((await s.call(s.mine, 'DELETE', at(id))).status, 204)

  const plain = await s.make()
  assert.equal((await add(s, plain.id, { url })).status, 202)
  await idle(s)
  assert.equal((await show(s, plain.id)).os_hash_value, hash('sha512'))
})

/** A disk without blocks of its own: what tells what it is stands at the end. */
function vhd(size: number): Buffer {
  const footer = Buffer.alloc(512)
  footer.write('conectix')
  footer.writeBigUInt64BE(BigInt(size), 48)
  footer.writeUInt32BE(2, 60)
  return Buffer.concat([Buffer.alloc(size), footer])
}

onEachEngine('what is in bytes of the web is looked at while they are read', async database => {
  const qcow2 = emptyQcow2(4 * 1024 * 1024)
  const unsafe = Buffer.from(qcow2)
  unsafe.writeBigUInt64BE(0x200n, 8)
  unsafe.writeUInt32BE('/etc/passwd'.length, 16)
  unsafe.write('/etc/passwd', 0x200)
  const files: Record<string, Buffer> = { '/good': qcow2, '/unsafe': unsafe, '/large': vhd(6 * 1024 * 1024) }
  await using site = await web((request, response) => void response.end(files[request.url!]))
  await using s = await imageCloud(database, withWeb)
  const known = async (path: string, disk_format: string) => {
    const { id } = await s.make({ disk_format })
    assert.equal((await add(s, id, { url: `${site.url}${path}` })).status, 202)
    await idle(s)
    const { status, virtual_size } = await show(s, id)
    const { unacceptable } = (await s.cloud.env.services.image.get(s.cloud.ctx(), id))!
    return { status, virtual_size, unacceptable }
  }
  assert.deepEqual(await known('/good', 'qcow2'), { status: 'active', virtual_size: 4_194_304, unacceptable: null })
  assert.equal((await known('/good', 'raw')).unacceptable, 'Image content does not match disk_format')
  assert.match((await known('/unsafe', 'qcow2')).unacceptable!, /does not pass safety check: .*backing/)
  assert.equal((await known('/large', 'vhd')).virtual_size, 6 * 1024 * 1024)
})

onEachEngine('what is not what it was said to be stays queued, and can be filled otherwise', async database => {
  await using site = await web(disk().listener)
  await using s = await imageCloud(database, withWeb)
  const { id } = await s.make()
  const false_data = { os_hash_algo: 'sha512', os_hash_value: 'beefdead'.repeat(16) }
  assert.equal((await add(s, id, { url: `${site.url}/disk`, validation_data: false_data })).status, 202)
  await idle(s)
  const image = await show(s, id)
  assert.deepEqual([image.status, image.checksum, image.os_hash_algo], ['queued', null, null])
  assert.match((await tasksOf(s, id))[0]!.message, /not matched/)
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`)).status, 204, 'nothing of it is given')
  assert.equal((await add(s, id, { url: `${site.url}/nothing` })).status, 202)
  await idle(s)
  assert.equal((await show(s, id)).status, 'queued')
  await s.fill(id, 'other bytes')
  assert.equal((await show(s, id)).stores, 'file')
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`)).body as unknown, 'other bytes')
})

onEachEngine('a copy of what has changed on the web is none', async database => {
  let shown = bytes
  await using site = await web((_request, response) => void response.end(shown))
  await using s = await imageCloud(database, withWeb)
  const { id } = await s.make()
  await add(s, id, { url: `${site.url}/disk` })
  await idle(s)
  const copy = async () => {
    const body = { method: { name: 'copy-image' }, stores: ['file'] }
    assert.equal((await s.call(s.admin, 'POST', `${at(id)}/import`, { body })).status, 202)
    await idle(s)
    return (await show(s, id)).stores
  }
  shown = bytes.replace('web', 'net')
  assert.equal(await copy(), 'web')
  const said = (await tasksOf(s, id, s.admin)).map(task => task.message).join()
  assert.match(said, /not those any more/)
  assert.deepEqual(await s.files(), [])
  shown = bytes
  assert.equal(await copy(), 'web,file')
})

onEachEngine('without a store for the web there are no images on the web', async database => {
  await using s = await imageCloud(database, opened)
  const { id } = await s.make()
  assert.equal((await add(s, id, { url: 'http://127.0.0.1/disk' })).status, 403)
})

onEachEngine('where locations are shown, owners add web addresses and administrators remove them', async database => {
  await using site = await web(disk().listener)
  await using s = await imageCloud(database, [...withWeb, 'image.show_locations=true', 'image.show_direct_url=true'])
  const url = `${site.url}/disk`
  const place = (value: unknown) => [{ op: 'add', path: '/locations/-', value }]
  const { id, locations } = await s.make()
  assert.deepEqual(locations, [])
  for (const bad of ['gopher://example.org', `${site.url}/nothing`, 'file:///etc/passwd', 'http://169.254.169.254/'])
    assert.equal((await s.patch(s.mine, id, place({ url: bad, metadata: {} }))).status, 400, bad)
  const first = await s.patch(s.mine, id, place({ url, metadata: { foo: 'bar' } }))
  assert.equal(first.status, 200)
  assert.equal(first.body.status, 'active')
  assert.equal(first.body.size, bytes.length)
  assert.equal(first.body.direct_url, url)
  assert.equal(first.body.os_hash_value, null)
  assert.deepEqual(first.body.locations, [{ url, metadata: { foo: 'bar', store: 'web' } }])
  assert.equal((await s.patch(s.mine, id, place({ url, metadata: {} }))).status, 400, 'the same twice')
  const second = await s.patch(s.mine, id, place({ url: `${url}#new`, metadata: {} }))
  assert.equal((second.body.locations as unknown[]).length, 2)
  const replace = (value: unknown) => s.patch(s.mine, id, [{ op: 'replace', path: '/locations', value }])
  const both = second.body.locations as { url: string; metadata: Record<string, unknown> }[]
  assert.equal((await replace(both)).status, 200)
  assert.equal((await replace([both[0]])).status, 400)
  assert.equal((await replace([])).status, 403)
  const changed = await replace([{ ...both[0], metadata: { date: 'today' } }, both[1]])
  assert.deepEqual((changed.body.locations as typeof both)[0]!.metadata, { date: 'today', store: 'web' })
  const remove = (who: ImageCloud['mine'] | string) => s.patch(who, id, [{ op: 'remove', path: '/locations/0' }])
  assert.equal((await remove(s.mine)).status, 403)
  const left = await remove(s.admin)
  assert.deepEqual(
    (left.body.locations as typeof both).map(l => l.url),
    [`${url}#new`],
  )
  assert.equal((await remove(s.admin)).status, 403, 'the last')

  const told = await s.make()
  const known = { checksum: '1'.repeat(32), os_hash_algo: 'sha512', os_hash_value: 'deadbeef'.repeat(16) }
  const named = await s.patch(s.mine, told.id, place({ url, metadata: {}, validation_data: known }))
  assert.deepEqual([named.body.checksum, named.body.os_hash_value], [known.checksum, known.os_hash_value])
  for (const [name, value] of Object.entries({ checksum: '2'.repeat(32), os_hash_algo: 'sha256' })) {
    const validation_data = { ...known, [name]: value }
    const refused = await s.patch(s.mine, told.id, place({ url: `${url}#2`, metadata: {}, validation_data }))
    assert.equal(refused.status, 409, name)
  }
  const filled = await s.make()
  await s.fill(filled.id, 'bytes')
  assert.match(String((await show(s, filled.id)).direct_url), /^file:\/\/.*\/images\//)
})

onEachEngine('nobody sees or changes locations otherwise', async database => {
  await using s = await imageCloud(database, withWeb)
  const { id } = await s.make()
  await s.fill(id, 'bytes')
  const image = await show(s, id)
  assert.equal('locations' in image || 'direct_url' in image, false)
  const value = { url: 'http://example.org/', metadata: {} }
  for (const change of [
    { op: 'add', path: '/locations/-', value },
    { op: 'replace', path: '/locations', value: [value] },
  ]) {
    const answer = await s.patch(s.mine, id, [change])
    assert.equal(answer.status, 403)
    assert.match(String(answer.body), /if locations are invisible/)
  }
  assert.equal((await s.patch(s.mine, id, [{ op: 'remove', path: '/locations/0' }])).status, 403)
})

onEachEngine('an image that is far away is kept near once it was used', async database => {
  const far = disk()
  await using site = await web(far.listener)
  await using s = await imageCloud(database, withWeb)
  const { id } = await s.make()
  await add(s, id, { url: `${site.url}/disk` })
  await idle(s)
  const read = async (headers = {}) => (await s.call(s.mine, 'GET', `${at(id)}/file`, { headers })).body as unknown
  const cache = async () =>
    (
      await s.call<{ cached_images: { image_id: string; hits: number; size: number }[]; queued_images: string[] }>(
        s.admin,
        'GET',
        '/v2/cache',
      )
    ).body
  assert.equal(await read(), bytes)
  await s.cloud.reconcile('image.cache')
  const [kept] = (await cache()).cached_images
  assert.deepEqual([kept!.image_id, kept!.hits, kept!.size], [id, 0, bytes.length])
  const before = far.count()
  assert.equal(await read(), bytes)
  assert.equal(await read({ range: 'bytes=0-4' }), 'bytes')
  assert.equal(far.count(), before, 'not asked for again')
  assert.equal((await cache()).cached_images[0]!.hits, 2)
  await rm(join(s.directory, 'cache'), { recursive: true })
  assert.equal(await read(), bytes, 'its copy is gone, not the image')
  assert.equal(await read(), bytes)
  await s.cloud.reconcile('image.cache')
  assert.equal((await cache()).cached_images[0]!.hits, 0)
  await s.call(s.mine, 'DELETE', at(id))
  await s.cloud.reconcile('image.cache')
  assert.deepEqual(await cache(), { cached_images: [], queued_images: [] })
})

onEachEngine('administrators fill and empty the cache', async database => {
  await using s = await imageCloud(database, ['image.cache_bytes=10'])
  const call = (method: string, path = '', headers = {}, who: ImageCloud['mine'] | string = s.admin) =>
    s.call<Record<string, unknown>>(who, method, `/v2/cache${path}`, { headers })
  assert.equal((await call('GET', '', {}, s.mine)).status, 403)
  assert.equal((await call('PUT', '/no-such-image')).status, 404)
  const { id } = await s.make()
  assert.equal((await call('PUT', `/${id}`)).status, 400, 'not active')
  await s.fill(id, 'bytes')
  assert.equal((await call('PUT', `/${id}`)).status, 202)
  await s.cloud.reconcile('image.cache')
  const ids = async () => ((await call('GET')).body.cached_images as { image_id: string }[]).map(i => i.image_id)
  assert.deepEqual(await ids(), [id])
  assert.equal(((await call('GET', `/nodes/${id}`)).body as unknown as string[]).length, 1)
  const second = await s.make()
  await s.call(s.mine, 'PUT', `${at(second.id)}/file`, upload('ten bytes!'))
  await call('PUT', `/${second.id}`)
  await s.cloud.reconcile('image.cache')
  assert.deepEqual(await ids(), [second.id], 'what was not used for longest made way')
  assert.deepEqual((await call('POST', '/prune')).body, { total_files_pruned: 0, total_bytes_pruned: 0 })
  assert.equal((await call('POST', '/clean')).status, 200)
  assert.equal((await call('DELETE', '', { 'x-image-cache-clear-target': 'all' })).status, 400)
  assert.equal((await call('DELETE', '', { 'x-image-cache-clear-target': 'queue' })).status, 204)
  assert.equal((await ids()).length, 1)
  assert.equal((await call('DELETE', `/${second.id}`)).status, 204)
  assert.equal((await ids()).length, 0)
  assert.equal((await call('DELETE')).status, 204)
  assert.equal((await call('DELETE', '/no-such-image')).status, 404)

  await using none = await imageCloud(database, ['image.cache_bytes=0'])
  assert.equal((await none.call(none.admin, 'GET', '/v2/cache')).status, 404)
})
