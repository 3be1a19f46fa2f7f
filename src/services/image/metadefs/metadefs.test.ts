/** Metadata definitions: the catalogue that is there, namespaces of one's own, and what hangs in them. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../../test/engines.ts'
import type { TestProject } from '../../../../test/harness.ts'
import { imageCloud } from '../fixtures/image-cloud.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Any = any

async function metadefCloud(database: Parameters<typeof imageCloud>[0]) {
  const s = await imageCloud(database)
  const call = (who: TestProject | string, method: string, path: string, body?: unknown, headers = {}) =>
    s.call<Any>(who, method, `/v2/metadefs/${path}`, { ...(body !== undefined && { body }), headers })
  return { s, call, [Symbol.asyncDispose]: () => s[Symbol.asyncDispose]() }
}

onEachEngine('the agreed catalogue is there for everyone to read', async database => {
  await using cloud = await metadefCloud(database)
  const { s, call } = cloud
  const first = await call(s.mine, 'GET', 'namespaces?limit=20')
  assert.equal(first.status, 200)
  assert.equal(first.body.namespaces.length, 20)
  const rest = await call(s.mine, 'GET', first.body.next.replace('/v2/metadefs/', ''))
  const names = [...first.body.namespaces, ...rest.body.namespaces].map((n: Any) => n.namespace)
  assert.equal(new Set(names).size, 33)
  assert.ok(names.includes('OS::Compute::Watchdog'))

  const whole = (await call(s.mine, 'GET', 'namespaces/OS::Compute::Watchdog')).body
  assert.equal(whole.visibility, 'public')
  assert.equal(whole.protected, true)
  assert.deepEqual(whole.properties.watchdog_action.enum, ['disabled', 'reset', 'poweroff', 'pause', 'none'])
  const forFlavors = await call(s.mine, 'GET', 'namespaces/OS::Compute::Watchdog?resource_type=OS::Nova::Flavor')
  assert.deepEqual(Object.keys(forFlavors.body.properties), ['hw:watchdog_action'])
  const path = 'namespaces/OS::Compute::Watchdog/properties/hw:watchdog_action?resource_type=OS::Nova::Flavor'
  assert.equal((await call(s.mine, 'GET', path)).body.name, 'watchdog_action')
  assert.equal((await call(s.mine, 'GET', path.replace('/hw:', '/'))).status, 404)

  const about = await call(s.mine, 'GET', 'namespaces?resource_types=OS::Nova::Flavor&limit=100')
  assert.ok(about.body.namespaces.length > 5 && about.body.namespaces.length < 33)
  const types = (await call(s.mine, 'GET', 'resource_types')).body.resource_types.map((t: Any) => t.name)
  assert.ok(types.includes('OS::Glance::Image') && types.includes('OS::Nova::Flavor'))
  assert.equal((await call(s.admin, 'DELETE', 'namespaces/OS::Compute::Watchdog')).status, 403)
  assert.equal((await call(s.admin, 'DELETE', 'namespaces/OS::Compute::Watchdog/properties')).status, 403)
})

onEachEngine('a private namespace is seen by its project alone and changed by administrators alone', async database => {
  await using cloud = await metadefCloud(database)
  const { s, call } = cloud
  const body = { namespace: 'Mine::Words', owner: s.mine.id, description: 'Ours.' }
  assert.equal((await call(s.mine, 'POST', 'namespaces', body)).status, 403)
  const made = await call(s.admin, 'POST', 'namespaces', body)
  assert.equal(made.status, 201)
  assert.equal(made.body.visibility, 'private')
  assert.equal(made.body.protected, false)
  assert.equal(made.body.self, '/v2/metadefs/namespaces/Mine::Words')
  assert.match(made.headers.location as string, /\/image\/v2\/metadefs\/namespaces\/Mine/)
  assert.equal((await call(s.admin, 'POST', 'namespaces', body)).status, 409)
  assert.equal((await call(s.admin, 'POST', 'namespaces', { ...body, self: 'x' })).status, 403)
  assert.equal((await call(s.admin, 'POST', 'namespaces', { ...body, colour: 'x' })).status, 400)
  assert.equal((await call(s.admin, 'POST', 'namespaces', {})).status, 400)
  assert.equal((await call(s.admin, 'POST', 'namespaces', { namespace: 'n'.repeat(81) })).status, 400)

  assert.equal((await call(s.mine, 'GET', 'namespaces/Mine::Words')).body.owner, s.mine.id)
  for (const path of ['', '/objects', '/properties', '/tags', '/resource_types'])
    assert.equal((await call(s.other, 'GET', `namespaces/Mine::Words${path}`)).status, 404, path)
  const seen = async (who: TestProject) =>
    (await call(who, 'GET', 'namespaces?visibility=private')).body.namespaces.map((n: Any) => n.namespace)
  assert.deepEqual([await seen(s.mine), await seen(s.other)], [['Mine::Words'], []])
  assert.equal((await call(s.mine, 'PUT', 'namespaces/Mine::Words', body)).status, 403)
  assert.equal((await call(s.mine, 'DELETE', 'namespaces/Mine::Words')).status, 403)

  const renamed = await call(s.admin, 'PUT', 'namespaces/Mine::Words', {
    namespace: 'Mine::Terms',
    visibility: 'public',
    protected: true,
  })
  assert.equal(renamed.status, 200)
  assert.equal(renamed.body.namespace, 'Mine::Terms')
  assert.equal((await call(s.other, 'GET', 'namespaces/Mine::Terms')).status, 200)
  const clash = await call(s.admin, 'PUT', 'namespaces/Mine::Terms', { namespace: 'OS::Compute::Watchdog' })
  assert.equal(clash.status, 409)
  assert.equal((await call(s.admin, 'DELETE', 'namespaces/Mine::Terms')).status, 403, 'protected')
  await call(s.admin, 'PUT', 'namespaces/Mine::Terms', { namespace: 'Mine::Terms' })
  assert.equal((await call(s.admin, 'DELETE', 'namespaces/Mine::Terms')).status, 204)
  assert.equal((await call(s.admin, 'GET', 'namespaces/Mine::Terms')).status, 404)
  for (const query of ['sort_dir=up', 'sort_key=colour', 'limit=-1', 'limit=x', 'visibility=hidden'])
    assert.equal((await call(s.mine, 'GET', `namespaces?${query}`)).status, 400, query)
})

onEachEngine('a namespace has objects, properties, tags and resource types, made with it or later', async database => {
  await using cloud = await metadefCloud(database)
  const { s, call } = cloud
  const size = { title: 'Size', type: 'integer', minimum: 0, default: 1, enum: [1, 2] }
  const made = await call(s.admin, 'POST', 'namespaces', {
    namespace: 'Whole',
    visibility: 'public',
    resource_type_associations: [{ name: 'OS::Test::Thing', prefix: 'thing_' }],
    properties: { size },
    objects: [{ name: 'shape', required: ['angle'], properties: { angle: { title: 'Angle', type: 'number' } } }],
    tags: [{ name: 'round' }],
  })
  assert.equal(made.status, 201)
  assert.deepEqual(made.body.tags, [{ name: 'round' }])
  const at = (path: string) => `namespaces/Whole/${path}`
  const seen = (await call(s.mine, 'GET', 'namespaces/Whole?resource_type=OS::Test::Thing')).body
  assert.deepEqual(Object.keys(seen.properties), ['thing_size'])
  assert.equal(seen.properties.thing_size.default, '1', 'defaults are shown as text')
  assert.deepEqual(seen.properties.thing_size.enum, ['1', '2'])
  assert.deepEqual(seen.objects[0].required, ['thing_angle'])
  assert.deepEqual(Object.keys(seen.objects[0].properties), ['thing_angle'])

  // Each kind: add, add again, show, change, list, delete.
  const kinds = [
    ['objects', { name: 'one' }, { name: 'two', description: 'Changed.' }],
    ['properties', { name: 'one', type: 'string', title: 'One' }, { name: 'two', type: 'string', title: 'Two' }],
    ['tags', { name: 'one' }, { name: 'two' }],
  ] as const
  for (const [kind, one, two] of kinds) {
    const add = () => (kind === 'tags' ? call(s.admin, 'POST', at('tags/one')) : call(s.admin, 'POST', at(kind), one))
    assert.equal((await call(s.mine, 'POST', at(kind === 'tags' ? 'tags/one' : kind), one)).status, 403)
    assert.equal((await add()).status, 201, kind)
    assert.equal((await add()).status, 409, kind)
    assert.equal((await call(s.mine, 'GET', at(`${kind}/one`))).body.name, 'one')
    assert.equal((await call(s.admin, 'PUT', at(`${kind}/one`), {})).status, 400)
    assert.equal((await call(s.admin, 'PUT', at(`${kind}/one`), two)).body.name, 'two')
    assert.equal((await call(s.mine, 'GET', at(`${kind}/one`))).status, 404)
    const list = (await call(s.mine, 'GET', at(kind))).body[kind]
    assert.equal(Array.isArray(list) ? list.length : Object.keys(list).length, 2)
    assert.equal((await call(s.mine, 'DELETE', at(`${kind}/two`))).status, 403)
    assert.equal((await call(s.admin, 'DELETE', at(`${kind}/two`))).status, 204)
    assert.equal((await call(s.admin, 'DELETE', at(`${kind}/two`))).status, 404)
  }

  const tags = async () => (await call(s.mine, 'GET', at('tags?sort_key=name&sort_dir=asc'))).body.tags
  const many = { tags: [{ name: 'a' }, { name: 'b' }] }
  assert.equal((await call(s.admin, 'POST', at('tags'), many)).status, 201)
  assert.deepEqual(await tags(), many.tags, 'the new ones take the place of the old')
  await call(s.admin, 'POST', at('tags'), { tags: [{ name: 'c' }] }, { 'x-openstack-append': 'true' })
  assert.deepEqual(await tags(), [...many.tags, { name: 'c' }])
  assert.equal((await call(s.admin, 'POST', at('tags/A'))).status, 409, 'tags differ by more than case')
  const page = await call(s.mine, 'GET', at('tags?sort_key=name&sort_dir=asc&limit=1&marker=a'))
  assert.deepEqual(page.body.tags, [{ name: 'b' }])

  const association = { name: 'OS::Test::Other', prefix: 'x' }
  assert.equal((await call(s.admin, 'POST', at('resource_types'), association)).status, 201)
  assert.equal((await call(s.admin, 'POST', at('resource_types'), association)).status, 409)
  const associations = (await call(s.mine, 'GET', at('resource_types'))).body.resource_type_associations
  assert.deepEqual(
    associations.map((a: Any) => [a.name, a.prefix]),
    [
      ['OS::Test::Thing', 'thing_'],
      ['OS::Test::Other', 'x'],
    ],
  )
  assert.equal((await call(s.admin, 'DELETE', at('resource_types/OS::Test::Other'))).status, 204)
  assert.equal((await call(s.admin, 'DELETE', at('resource_types/OS::Test::Other'))).status, 404)

  for (const kind of ['objects', 'properties', 'tags']) {
    assert.equal((await call(s.mine, 'DELETE', at(kind))).status, 403)
    assert.equal((await call(s.admin, 'DELETE', at(kind))).status, 204)
    const list = (await call(s.mine, 'GET', at(kind))).body[kind]
    assert.equal(Array.isArray(list) ? list.length : Object.keys(list).length, 0)
  }
})

onEachEngine('every kind of definition has a schema', async database => {
  await using s = await imageCloud(database)
  for (const name of ['namespace', 'namespaces', 'object', 'objects', 'property', 'properties', 'tag', 'tags'])
    assert.equal((await s.call<Any>(s.mine, 'GET', `/v2/schemas/metadefs/${name}`)).body.name, name)
  const one = await s.call<Any>(s.mine, 'GET', '/v2/schemas/metadefs/resource_type')
  assert.equal(one.body.name, 'resource_type_association')
  const many = await s.call<Any>(s.mine, 'GET', '/v2/schemas/metadefs/resource_types')
  assert.equal(many.body.name, 'resource_type_associations')
})
