import assert from 'node:assert/strict'
import { test } from 'node:test'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'

test('clients discover the version without a token', async () => {
  await using cloud = await computeCloud()
  const { body } = await cloud.request<{ versions: Record<string, unknown>[] }>('GET', '/compute/')
  assert.deepEqual(body.versions, [
    {
      id: 'v2.0',
      status: 'DEPRECATED',
      version: '',
      min_version: '',
      updated: '2025-07-04T12:00:00Z',
      links: [{ rel: 'self', href: 'http://cloud.test/compute/v2/' }],
    },
    {
      id: 'v2.1',
      status: 'CURRENT',
      version: '2.104',
      min_version: '2.1',
      updated: '2013-07-23T11:33:21Z',
      links: [{ rel: 'self', href: 'http://cloud.test/compute/v2.1/' }],
    },
  ])
  const document = await cloud.request<{ version: { id: string; version: string } }>('GET', '/compute/v2.1/')
  assert.deepEqual([document.status, document.body.version.version], [200, '2.104'])
})

test('extensions are those that every Nova has', async () => {
  await using cloud = await computeCloud()
  const { body } = await cloud.call<{ extensions: { alias: string }[] }>('alice', 'GET', '/extensions')
  assert.ok(body.extensions.some(e => e.alias === 'os-keypairs'))
  const one = await cloud.call<{ extension: { alias: string; name: string } }>(
    'alice',
    'GET',
    '/extensions/os-keypairs',
  )
  assert.deepEqual(
    one.body.extension,
    body.extensions.find(e => e.alias === 'os-keypairs'),
  )
  assert.equal((await cloud.call('alice', 'GET', '/extensions/constructor')).status, 404)
})

test('/v2 speaks the oldest version whatever is asked for, and takes bodies with too much in them', async () => {
  await using cloud = await computeCloud()
  const call = <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, `/compute/v2${path}`, {
      token: 'alice',
      headers: { 'openstack-api-version': 'compute 2.90' },
      ...(body !== undefined && { body }),
    })
  const root = await call<{ version: { id: string; 'media-types': { type: string }[] } }>('GET', '/')
  assert.deepEqual(
    [root.status, root.body.version.id, root.body.version['media-types'][0]!.type],
    [200, 'v2.0', 'application/vnd.openstack.compute+json;version=2'],
  )
  const wish = { keypair: { name: 'k', surplus: 1 }, more: 2 }
  const made = await call<{ keypair: { type?: string } }>('POST', `/${projects.demo}/os-keypairs`, wish)
  assert.deepEqual([made.status, made.body.keypair.type], [200, undefined])
  assert.equal(made.headers['openstack-api-version'], undefined)
  assert.equal((await call('POST', '/os-keypairs', { keypair: { name: 1 } })).status, 400)
  const strict = await cloud.request('POST', '/compute/v2.1/os-keypairs', { token: 'alice', body: wish })
  assert.equal(strict.status, 400)
})

test('links repeat the version and the project that the path has', async () => {
  await using cloud = await computeCloud()
  const flavor = { id: 'f1', name: 'small', ram: 64, vcpus: 1, disk: 1 }
  assert.equal((await cloud.call('admin', 'POST', '/flavors', { flavor })).status, 200)
  type Links = { rel: string; href: string }[]
  for (const [root, bookmarks] of [
    ['/compute/v2', '/compute'],
    ['/compute/v2.1', '/compute'],
    [`/compute/v2/${projects.demo}`, `/compute/${projects.demo}`],
    [`/compute/v2.1/${projects.demo}`, `/compute/${projects.demo}`],
  ]) {
    const path = `${root}/flavors?limit=1`
    const { body } = await cloud.request<{ flavors: { id: string; links: Links }[]; flavors_links: Links }>(
      'GET',
      path,
      {
        token: 'alice',
      },
    )
    const [{ id, links }] = body.flavors as [{ id: string; links: Links }]
    assert.deepEqual(links, [
      { rel: 'self', href: `http://cloud.test${root}/flavors/${id}` },
      { rel: 'bookmark', href: `http://cloud.test${bookmarks}/flavors/${id}` },
    ])
    assert.deepEqual(body.flavors_links, [{ rel: 'next', href: `http://cloud.test${path}&marker=${id}` }])
  }
})

test('os-volumes_boot is another name for servers, up to 2.102', async () => {
  await using cloud = await computeCloud()
  const get = async (path: string, version: string) =>
    (await cloud.call('alice', 'GET', `/os-volumes_boot${path}`, undefined, version)).status
  assert.deepEqual([await get('', '2.102'), await get('/detail', '2.1'), await get('', '2.103')], [200, 200, 404])
  const start = { 'os-start': null }
  const act = (version: string) =>
    cloud.call<{ itemNotFound: { message: string } }>('alice', 'POST', '/os-volumes_boot/x/action', start, version)
  assert.equal((await act('2.102')).body.itemNotFound.message, 'Instance x could not be found.')
  assert.equal((await act('2.103')).body.itemNotFound.message, 'The resource could not be found.')
})

test('what needs a service that the cloud does not have says so in upstream words', async () => {
  await using cloud = await computeCloud()
  type Refused = Record<string, { message: string }>
  const ask = async (method: string, path: string, body?: unknown, version = '2.35') => {
    const answer = await cloud.call<Refused>('admin', method, path, body, version)
    return [answer.status, Object.values(answer.body ?? {})[0]?.message]
  }
  const nodes = await cloud.call<{ nodes: unknown[] }>('admin', 'GET', '/os-baremetal-nodes', undefined, '2.35')
  assert.deepEqual(nodes.body, { nodes: [] })
  assert.deepEqual(await ask('GET', '/os-baremetal-nodes/n'), [404, 'Node n could not be found.'])
  assert.deepEqual(await ask('POST', '/os-baremetal-nodes/n/action', { add_interface: {} }), [
    400,
    'Command not supported. Please use Ironic command port-create to perform this action.',
  ])
  for (const [method, path, body, command] of [
    ['POST', '', { node: {} }, 'node-create'],
    ['DELETE', '/n', undefined, 'node-delete'],
    ['POST', '/n/action', { remove_interface: {} }, 'port-delete'],
  ] as const) {
    const why = `Command not supported. Please use Ironic command ${command} to perform this action.`
    assert.deepEqual(await ask(method, `/os-baremetal-nodes${path}`, body), [400, why])
  }
  assert.equal((await ask('GET', '/os-baremetal-nodes', undefined, '2.36'))[0], 404)

  const create_info = { snapshot_id: 's', type: 'qcow2', new_file: 'f' }
  const path = '/os-assisted-volume-snapshots'
  const none = 'No volume Block Device Mapping with id v.'
  assert.deepEqual(await ask('POST', path, { snapshot: { volume_id: 'v', create_info } }), [400, none])
  assert.equal((await ask('POST', path, { snapshot: { volume_id: 'v' } }))[0], 400)
  const info = encodeURIComponent('{"volume_id": "v"}')
  assert.deepEqual(await ask('DELETE', `${path}/s?delete_info=${info}`), [400, none])
  assert.equal((await ask('DELETE', `${path}/s`))[0], 400)
  assert.equal((await cloud.call('alice', 'DELETE', `${path}/s?delete_info=${info}`)).status, 403)
})
