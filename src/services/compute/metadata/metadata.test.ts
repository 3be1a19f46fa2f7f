/** What guests learn of themselves, and of nobody else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ServerCloud, serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0h5K8LkIWIvZ2yQWVYVYpLZNUwUsh9yZ0aQ5pX0B1Y demo@laptop'
const script = '#!/bin/sh\necho hello\n'
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64')

async function ask(cloud: ServerCloud, server_id: string, path: string, method = 'GET', body = '') {
  const answer = await cloud.env.services.compute.metadata(cloud.ctx(), { server_id, path, method, body })
  return { ...answer, text: String(answer.body) }
}

async function document(cloud: ServerCloud, server_id: string, path: string) {
  const answer = await ask(cloud, server_id, path)
  assert.equal(answer.status, 200, path)
  assert.equal(answer.headers['content-type'], 'application/json')
  return JSON.parse(answer.text)
}

async function bootWithEverything(cloud: ServerCloud) {
  const demo = await cloud.project('p1')
  await cloud.api(demo, 'POST', '/os-keypairs', { keypair: { name: 'laptop', public_key: publicKey, type: 'ssh' } })
  const server = await cloud.boot(demo, {
    name: 'web',
    key_name: 'laptop',
    user_data: base64(script),
    metadata: { role: 'front' },
    config_drive: true,
  })
  return { demo, server }
}

onEachEngine('a guest reads its own description', async database => {
  await using cloud = await serverCloud({ world: await newWorld(undefined, database) })
  const { demo, server } = await bootWithEverything(cloud)
  const { random_seed, ...told } = await document(cloud, server.id, '/openstack/latest/meta_data.json')
  assert.equal(Buffer.from(random_seed, 'base64').length, 512)
  assert.deepEqual(told, {
    uuid: server.id,
    meta: { role: 'front' },
    public_keys: { laptop: publicKey },
    keys: [{ name: 'laptop', type: 'ssh', data: publicKey }],
    hostname: 'web.novalocal',
    name: 'web',
    launch_index: 0,
    availability_zone: 'nova',
    project_id: demo.id,
    devices: [],
    dedicated_cpus: [],
  })
  assert.equal((await ask(cloud, server.id, '/openstack/latest/user_data')).text, script)
  assert.deepEqual(await document(cloud, server.id, '/openstack/latest/vendor_data.json'), {})
  assert.deepEqual(await document(cloud, server.id, '/openstack/latest/vendor_data2.json'), { static: {} })
  assert.deepEqual(Object.keys(await document(cloud, server.id, '/openstack/latest/network_data.json')), [
    'links',
    'networks',
    'services',
  ])
})

test('versions are listed, and older ones have what they had', async () => {
  await using cloud = await serverCloud()
  const { server } = await bootWithEverything(cloud)
  const lines = async (path: string) => (await ask(cloud, server.id, path)).text.split('\n')
  const versions = await lines('/openstack')
  assert.deepEqual([versions.at(0), versions.at(-1)], ['2012-08-10', 'latest'])
  assert.deepEqual(await lines('/openstack/2012-08-10'), ['meta_data.json', 'user_data'])
  assert.deepEqual(await lines('/openstack/latest/'), [
    ...['meta_data.json', 'user_data', 'password', 'vendor_data.json', 'network_data.json', 'vendor_data2.json'],
  ])
  const oldest = await document(cloud, server.id, '/openstack/2012-08-10/meta_data.json')
  assert.deepEqual(
    ['random_seed', 'project_id', 'devices'].filter(name => name in oldest),
    [],
  )
  assert.equal((await ask(cloud, server.id, '/openstack/2012-08-10/network_data.json')).status, 404)
})

test('EC2 tools walk the tree of their names', async () => {
  await using cloud = await serverCloud()
  const { server } = await bootWithEverything(cloud)
  const read = async (path: string) => {
    const { status, text } = await ask(cloud, server.id, path)
    return status === 200 ? text : status
  }
  assert.match(String(await read('/')), /^1\.0\n.*\n2009-04-04\nlatest$/s)
  assert.equal(await read('/latest'), 'meta-data/\nuser-data')
  assert.equal(await read('/latest/user-data'), script)
  assert.equal(await read('/2009-04-04/meta-data/hostname'), 'web.novalocal')
  assert.equal(await read('/latest/meta-data/public-keys/'), '0=laptop')
  assert.equal(await read('/latest/meta-data/public-keys/0/'), 'openssh-key')
  assert.equal(await read('/latest/meta-data/public-keys/0/openssh-key'), publicKey)
  assert.equal(await read('/latest/meta-data/placement/availability-zone'), 'nova')
  assert.equal(await read('/latest/meta-data/local-ipv4'), server.addresses.private[0].addr)
  assert.equal(await read('/latest/meta-data/instance-type'), 'm1.nano')
  assert.equal(await read('/latest/meta-data/security-groups'), 'default')
  assert.equal(await read('/latest/meta-data/block-device-mapping/root'), '/dev/vda')
  assert.match(String(await read('/latest/meta-data/instance-id')), /^i-[0-9a-f]{17}$/)
  assert.match(String(await read('/latest/meta-data/')), /^ami-id\n.*\nplacement\/\npublic-hostname\n/s)
  assert.equal(await read('/1.0/meta-data/placement'), 404)
  assert.equal(await read('/latest/meta-data/hostname/more'), 404)
})

test('a guest without user data or key has none, and other methods are refused', async () => {
  await using cloud = await serverCloud()
  const server = await cloud.boot(await cloud.project('p1'))
  const status = async (path: string, method = 'GET') => (await ask(cloud, server.id, path, method)).status
  assert.equal(await status('/openstack/latest/user_data'), 404)
  assert.equal(await status('/latest/user-data'), 404)
  assert.equal(await status('/latest/meta-data/public-keys/'), 404)
  assert.equal(await status('/latest/api/token', 'PUT'), 404, 'cloud-init falls back to requests without a token')
  assert.equal(await status('/openstack/latest/meta_data.json', 'POST'), 405)
  assert.deepEqual(await ask(cloud, server.id, '/latest/meta-data/hostname', 'HEAD').then(a => [a.status, a.text]), [
    200,
    '',
  ])
})

test('the config drive says the same, and holds user data byte for byte', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const packed = gzipSync(script)
  const adminPass = 'correct horse'
  const id = await cloud.ask(
    demo,
    {
      adminPass,
      user_data: base64(packed),
      config_drive: true,
      personality: [{ path: '/etc/motd', contents: base64('welcome') }],
    },
    '2.56',
  )
  await cloud.env.sagas.idle()
  const drive = cloud.drivers.h1!.guests.get(id)!.spec.config_drive!
  assert.deepEqual(drive['openstack/latest/user_data'], { base64: base64(packed) })
  assert.deepEqual(drive['ec2/latest/user-data'], { base64: base64(packed) })
  assert.deepEqual(drive['openstack/content/0000'], { base64: base64('welcome') })
  const told = JSON.parse(String(drive['openstack/latest/meta_data.json']))
  assert.deepEqual(told.files, [{ path: '/etc/motd', content_path: '/content/0000' }])
  assert.equal(told.admin_pass, adminPass)
  assert.equal(JSON.parse(String(drive['ec2/latest/meta-data.json'])).hostname, 'vm.novalocal')
  assert.equal('openstack/latest/password' in drive, false)

  const asked = await document(cloud, id, '/openstack/latest/meta_data.json')
  assert.equal('admin_pass' in asked, false, 'the password is on the drive alone')
  assert.equal((await ask(cloud, id, '/openstack/content/0000')).text, 'welcome')
})

test('a server without a config drive gets none', async () => {
  await using cloud = await serverCloud()
  const server = await cloud.boot(await cloud.project('p1'))
  assert.equal(cloud.drivers.h1!.guests.get(server.id)!.spec.config_drive, undefined)
})

test('the guest reports its password once; its owner reads it and clears it, others do not', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const other = await cloud.project('p2')
  const server = await cloud.boot(demo)
  const path = '/openstack/2013-10-17/password'
  const post = async (password: string) => (await ask(cloud, server.id, path, 'POST', password)).status
  const shown = async () =>
    (await cloud.api<{ password: string }>(demo, 'GET', `/servers/${server.id}/os-server-password`)).body.password

  assert.equal(await shown(), '')
  assert.equal(await post('x'.repeat(1021)), 400)
  assert.equal(await post('c2VjcmV0'), 200)
  assert.equal(await post('b3RoZXI='), 409)
  assert.equal(await shown(), 'c2VjcmV0')
  assert.equal((await ask(cloud, server.id, path)).text, 'c2VjcmV0')
  assert.equal((await cloud.api(other, 'GET', `/servers/${server.id}/os-server-password`)).status, 404)
  assert.equal((await cloud.api(other, 'DELETE', `/servers/${server.id}/os-server-password`)).status, 404)
  assert.equal((await cloud.api(demo, 'DELETE', `/servers/${server.id}/os-server-password`)).status, 204)
  assert.equal(await shown(), '')
})

test('each guest is told of itself alone, and a deleted one of nothing', async () => {
  await using cloud = await serverCloud()
  const [one, two] = [await cloud.project('p1'), await cloud.project('p2')]
  const [a, b] = [await cloud.boot(one, { name: 'a', user_data: base64('of a') }), await cloud.boot(two, { name: 'b' })]
  const names = await Promise.all([a, b].map(s => document(cloud, s.id, '/openstack/latest/meta_data.json')))
  assert.deepEqual(
    names.map(told => [told.uuid, told.name, told.project_id]),
    [
      [a.id, 'a', one.id],
      [b.id, 'b', two.id],
    ],
  )
  assert.equal((await ask(cloud, b.id, '/latest/user-data')).status, 404)
  await cloud.api(one, 'DELETE', `/servers/${a.id}`)
  await cloud.env.sagas.idle()
  assert.equal((await ask(cloud, a.id, '/openstack/latest/meta_data.json')).status, 404)
})

test('hostile paths lead nowhere', async () => {
  await using cloud = await serverCloud()
  const server = await cloud.boot(await cloud.project('p1'))
  const hostile = [
    '/openstack/latest/../../../etc/passwd',
    '/openstack/content/__proto__',
    '/openstack/latest/constructor',
    '/latest/meta-data/__proto__',
    '/latest/meta-data/hostname/length',
    '/%zz',
    '/openstack/latest/%00',
    `/latest/${'x/'.repeat(900)}`,
  ]
  for (const path of hostile) assert.equal((await ask(cloud, server.id, path)).status, 404, path)
})
