/** An image from its registration to its deletion. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { imageCloud, type ShownImage } from '../fixtures/image-cloud.ts'
import { imageSchemaOf } from './properties.ts'

const messageOf = (body: unknown) => String(body).replace(/<[^>]+>/g, ' ')

onEachEngine('an image is registered with defaults and its own properties beside', async database => {
  await using s = await imageCloud(database)
  const answer = await s.call(s.mine, 'POST', '/v2/images', {
    body: { name: 'debian', os_distro: 'debian', tags: ['b', 'a', 'b'], min_ram: 64 },
  })
  assert.equal(answer.status, 201)
  assert.equal(answer.headers.location, `http://cloud.test/image/v2/images/${answer.body.id}`)
  assert.equal(
    answer.headers['openstack-image-import-methods'],
    'glance-direct,web-download,copy-image,glance-download',
  )
  const { id, created_at, updated_at, ...shown } = answer.body
  assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.equal(updated_at, created_at)
  assert.deepEqual(shown, {
    ...{ name: 'debian', os_distro: 'debian', tags: ['a', 'b'], min_ram: 64, min_disk: 0 },
    ...{ status: 'queued', visibility: 'shared', protected: false, os_hidden: false, owner: s.mine.id },
    ...{ disk_format: null, container_format: null, size: null, virtual_size: null, checksum: null },
    ...{ os_hash_algo: null, os_hash_value: null, schema: '/v2/schemas/image' },
    ...{ self: `/v2/images/${id}`, file: `/v2/images/${id}/file` },
  })
  assert.deepEqual((await s.call(s.mine, 'GET', `/v2/images/${id}`)).body, answer.body)
})

onEachEngine('what may not be said of a new image is refused by name', async database => {
  await using s = await imageCloud(database)
  const create = (body: unknown, who: typeof s.mine | string = s.mine) => s.call(who, 'POST', '/v2/images', { body })
  const refusals: [unknown, number, RegExp][] = [
    [{ disk_format: 'floppy' }, 400, /disk_format/],
    [{ visibility: 'secret' }, 400, /visibility/],
    [{ min_disk: 'much' }, 400, /min_disk/],
    [{ name: 'n'.repeat(256) }, 400, /name/],
    [{ id: 'not-a-uuid' }, 400, /id/],
    [{ weight: 5 }, 400, /weight/],
    [{ file: '/etc/passwd' }, 403, /Attribute .*file.* is read-only/],
    [{ os_glance_stage_host: 'h' }, 403, /reserved/],
    [{ owner: s.other.id }, 403, /not permitted to create images owned by/],
    [{ visibility: 'public' }, 403, /not authorized to complete publicize_image action/],
    [{ ['p'.repeat(256)]: 'x' }, 400, /255 characters/],
    [Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`p${i}`, 'x'])), 413, /Attempted: 129, Maximum: 128/],
    [{ tags: Array.from({ length: 129 }, (_, i) => `t${i}`) }, 413, /Attempted: 129, Maximum: 128/],
  ]
  for (const [body, status, message] of refusals) {
    const answer = await create(body)
    assert.equal(answer.status, status, JSON.stringify(body))
    assert.match(messageOf(answer.body), message)
  }
  const { id } = await s.make()
  assert.equal((await create({ id })).status, 409)
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 204)
  assert.equal((await create({ id })).status, 409, 'ids of deleted images are not used again')
  assert.equal((await create({ name: 'p', visibility: 'public' }, s.admin)).status, 201)
  assert.equal((await create({ owner: s.other.id }, s.admin)).body.owner, s.other.id)
  const reader = await s.cloud.project('reading', 'reader')
  assert.equal((await create({ name: 'r' }, reader)).status, 403)
})

onEachEngine('an image is changed by JSON-patch, all of it or nothing', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make({ os_distro: 'debian', tags: ['old'] })
  const changed = await s.patch(s.mine, id, [
    { op: 'replace', path: '/name', value: 'new' },
    { op: 'add', path: '/a~1b', value: 'slash' },
    { op: 'replace', path: '/os_distro', value: 'nephos' },
    { op: 'replace', path: '/tags', value: ['y', 'x'] },
    { op: 'replace', path: '/min_disk', value: 3 },
    { op: 'replace', path: '/protected', value: true },
    { op: 'replace', path: '/visibility', value: 'private' },
  ])
  assert.equal(changed.status, 200, JSON.stringify(changed.body))
  assert.equal(changed.body.name, 'new')
  assert.equal(changed.body['a/b'], 'slash')
  assert.equal(changed.body.os_distro, 'nephos')
  assert.deepEqual(changed.body.tags, ['x', 'y'])
  assert.equal(changed.body.min_disk, 3)
  assert.equal(changed.body.protected, true)
  const removed = await s.patch(s.mine, id, [{ op: 'remove', path: '/os_distro' }])
  assert.ok(!('os_distro' in removed.body))

  const refusals: [unknown, number, RegExp][] = [
    [[{ op: 'replace', path: '/id', value: 'x' }], 403, /read-only/],
    [[{ op: 'replace', path: '/status', value: 'active' }], 403, /read-only/],
    [[{ op: 'add', path: '/stores', value: 'x' }], 403, /read-only/],
    [[{ op: 'replace', path: '/checksum', value: 'x' }], 403, /read-only/],
    [[{ op: 'remove', path: '/name' }], 403, /may not be removed/],
    [[{ op: 'replace', path: '/absent', value: 'x' }], 409, /does not exist/],
    [[{ op: 'remove', path: '/absent' }], 409, /does not exist/],
    [[{ op: 'remove', path: '/constructor' }], 409, /does not exist/],
    [[{ op: 'replace', path: '/owner', value: s.other.id }], 403, /Owner can/],
    [[{ op: 'replace', path: '/visibility', value: 'public' }], 403, /publicize_image/],
    [[{ op: 'replace', path: '/min_ram', value: -1 }], 400, /min_ram/],
    [[{ op: 'replace', path: '/min_ram', value: 'x' }], 400, /min_ram/],
    [[{ op: 'add', path: '/number', value: 5 }], 400, /number/],
    [[{ op: 'replace', path: '/locations', value: [] }], 403, /locations/],
    [[{ op: 'test', path: '/name', value: 'new' }], 400, /op/],
    [[{ op: 'add', path: 'name', value: 'x' }], 400, /does not start with/],
    [[{ op: 'add', path: '/a~2', value: 'x' }], 400, /escape sequence/],
    [[{ op: 'add', path: '/a/b', value: 'x' }], 400, /Invalid JSON pointer/],
    [[{ op: 'add', path: '/a' }], 400, /value/],
    [{ op: 'add' }, 400, /JSON array/],
    [['add'], 400, /JSON objects/],
  ]
  for (const [changes, status, message] of refusals) {
    const [last] = Array.isArray(changes) ? changes.slice(-1) : [changes]
    const answer = await s.patch(
      s.mine,
      id,
      Array.isArray(changes) ? [{ op: 'replace', path: '/name', value: 'half' }, last] : changes,
    )
    assert.equal(answer.status, status, JSON.stringify(changes))
    assert.match(messageOf(answer.body), message)
  }
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}`)).body.name, 'new')
  const plain = await s.call(s.mine, 'PATCH', `/v2/images/${id}`, { body: [] })
  assert.equal(plain.status, 415)
  assert.match(plain.headers['accept-patch']!, /openstack-images-v2.1-json-patch/)
  const old = await s.call(s.mine, 'PATCH', `/v2/images/${id}`, {
    body: JSON.stringify([{ add: '/color', value: 'red' }]),
    headers: { 'content-type': 'application/openstack-images-v2.0-json-patch' },
  })
  assert.equal(old.body.color, 'red')
})

onEachEngine('tags come and go one by one', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make({ tags: ['one'] })
  const tag = (method: string, name: string) => s.call(s.mine, method, `/v2/images/${id}/tags/${name}`)
  assert.equal((await tag('PUT', 'two')).status, 204)
  assert.equal((await tag('PUT', 'two')).status, 204)
  assert.equal((await tag('PUT', 't'.repeat(256))).status, 400)
  assert.equal((await tag('DELETE', 'one')).status, 204)
  assert.equal((await tag('DELETE', 'one')).status, 404)
  assert.deepEqual((await s.call(s.mine, 'GET', `/v2/images/${id}`)).body.tags, ['two'])
})

onEachEngine('a protected image stays; a deactivated one keeps its bytes to itself', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make({ protected: true, visibility: 'private' })
  const act = (verb: string) => s.call(s.mine, 'POST', `/v2/images/${id}/actions/${verb}`)
  assert.equal((await act('deactivate')).status, 403, 'a queued image')
  await s.fill(id, 'bytes')
  assert.equal((await act('deactivate')).status, 204)
  assert.equal((await act('deactivate')).status, 204)
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}/file`)).status, 403)
  assert.equal((await s.call(s.admin, 'GET', `/v2/images/${id}/file`)).status, 200)
  await assert.rejects(s.cloud.env.services.image.open(s.cloud.env, id), /is not active/)
  assert.equal((await act('reactivate')).status, 204)
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}/file`)).status, 200)

  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 403)
  await s.patch(s.mine, id, [{ op: 'replace', path: '/protected', value: false }])
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 204)
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}`)).status, 404)
  assert.equal((await s.call(s.mine, 'DELETE', `/v2/images/${id}`)).status, 404)
  await s.cloud.reconcile('image.orphan-files')
  assert.deepEqual(await s.files(), [])
})

test('where no deployer describes any, all clouds of a process check images by one schema, compiled once', async () => {
  await using one = await imageCloud(openSqlite(':memory:'))
  await using two = await imageCloud(openSqlite(':memory:'))
  await using other = await imageCloud(openSqlite(':memory:'), ['image.other_properties=false'])
  const schemas = [one, two, other].map(({ cloud }) => imageSchemaOf(cloud.env).whole)
  assert.equal(schemas[0], schemas[1])
  assert.notEqual(schemas[0], schemas[2])
})

onEachEngine('a deployer describes properties; others are refused when so wanted', async database => {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-test-'))
  const file = join(folder, 'properties.json')
  await writeFile(file, JSON.stringify({ rack: { type: 'string', enum: ['north', 'south'] } }))
  await using s = await imageCloud(database, [`image.properties_file=${file}`, 'image.other_properties=false'])
  await rm(folder, { recursive: true })
  const schema = await s.call<{ properties: Record<string, unknown>; additionalProperties: unknown }>(
    s.mine,
    'GET',
    '/v2/schemas/image',
  )
  assert.deepEqual(schema.body.properties.rack, { type: 'string', enum: ['north', 'south'], is_base: false })
  assert.equal(schema.body.additionalProperties, false)
  const { id } = await s.make({ rack: 'north', os_distro: 'debian' })
  const set = (path: string, value: string) => s.patch(s.mine, id, [{ op: 'add', path, value }])
  assert.equal((await set('/rack', 'south')).body.rack, 'south')
  assert.equal((await set('/rack', 'west')).status, 400)
  assert.equal((await set('/shelf', 'top')).status, 400)
  assert.equal((await s.call<ShownImage>(s.mine, 'POST', '/v2/images', { body: { shelf: 'top' } })).status, 400)
})
