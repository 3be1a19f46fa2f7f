/** What the image service tells of itself: versions, schemas, import methods, stores; errors in the form asked for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { imageCloud } from '../fixtures/image-cloud.ts'

interface Versions {
  versions: { id: string; status: string; links: { href: string }[] }[]
}

interface Schema {
  name: string
  properties: Record<string, { type?: unknown; items?: Schema }>
  additionalProperties?: unknown
}

test('versions are shown to all, the newest first', async () => {
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database)
  for (const [path, status] of [
    ['/image', 300],
    ['/image/', 300],
    ['/image/versions', 200],
  ] as const) {
    const answer = await s.cloud.request<Versions>('GET', path)
    assert.equal(answer.status, status)
    const [newest] = answer.body.versions
    assert.deepEqual(newest, {
      id: 'v2.17',
      status: 'CURRENT',
      links: [{ rel: 'self', href: 'http://cloud.test/image/v2/' }],
    })
    assert.equal(answer.body.versions.at(-1)!.id, 'v2.0')
  }
})

test('schemas describe images and members; info the ways in', async () => {
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database)
  const schema = async (name: string) => (await s.call<Schema>(s.mine, 'GET', `/v2/schemas/${name}`)).body
  const image = await schema('image')
  assert.equal(image.name, 'image')
  assert.deepEqual(image.additionalProperties, { type: 'string' })
  const shown = Object.keys(await s.make({ visibility: 'private' }))
  for (const name of shown) assert.ok(name in image.properties, name)
  assert.equal((await schema('images')).properties.images!.items!.name, 'image')
  assert.ok('status' in (await schema('member')).properties)
  assert.equal((await schema('members')).properties.members!.items!.name, 'member')
  const info = async (name: string) => (await s.call<unknown>(s.admin, 'GET', `/v2/info/${name}`)).body
  const methods = ['glance-direct', 'web-download', 'copy-image', 'glance-download']
  assert.deepEqual(await info('import'), {
    'import-methods': { description: 'Import methods available.', type: 'array', value: methods },
  })
  const store = { id: 'file', default: 'true', description: 'Files on a disk of the cloud' }
  assert.deepEqual(await info('stores'), { stores: [store] })
  assert.deepEqual(await info('stores/detail'), {
    stores: [{ ...store, type: 'file', weight: 0, properties: { data_dir: s.directory } }],
  })
})

test('an error is a page, JSON or plain text, as its reader wants', async () => {
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database)
  const missing = (accept: string) => s.call<unknown>(s.mine, 'GET', '/v2/images/none', { headers: { accept } })
  const page = await missing('*/*')
  assert.match(page.headers['content-type']!, /text\/html/)
  assert.match(String(page.body), /<h1>404 Not Found<\/h1>\s+No image found with ID none<br \/>/)
  assert.deepEqual((await missing('application/json')).body, {
    message: 'No image found with ID none<br /><br />\n\n\n',
    code: '404 Not Found',
    title: 'Not Found',
  })
  const plain = await missing('text/plain')
  assert.match(plain.headers['content-type']!, /text\/plain/)
  assert.match(String(plain.body), /^404 Not Found\n\nNo image found with ID none/)
})
