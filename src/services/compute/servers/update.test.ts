import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ShownServer, serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

type Answer = { server: ShownServer } & Record<string, { message: string }>

test('before 2.75 the answer to a change shows less than the server itself', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const put = (version: string) =>
    cloud.api<Answer>(demo, 'PUT', `/servers/${id}`, { server: { name: 'renamed' } }, version)
  const old = (await put('2.74')).body.server
  assert.deepEqual([old.name, old.status, old.locked], ['renamed', 'ACTIVE', false])
  for (const field of ['key_name', 'config_drive', 'OS-EXT-STS:vm_state', 'OS-EXT-AZ:availability_zone'])
    assert.equal(field in old, false, field)
  assert.deepEqual(Object.keys(old.addresses.private[0]).sort(), ['addr', 'version'])
  const now = (await put('2.75')).body.server
  assert.equal(now['OS-EXT-STS:vm_state'], 'active')
  assert.equal(now.addresses.private[0]['OS-EXT-IPS:type'], 'fixed')
})

test('the answer to a change never shows the user data as an extended attribute', async () => {
  await using cloud = await serverCloud()
  const admin = await cloud.admin()
  const { id } = await cloud.boot(admin, { user_data: 'aGVsbG8=' })
  const field = 'OS-EXT-SRV-ATTR:user_data'
  const put = await cloud.api<Answer>(admin, 'PUT', `/servers/${id}`, { server: { name: 'renamed' } })
  const rebuild = { rebuild: { imageRef: tiny } }
  const rebuilt = await cloud.api<Answer>(admin, 'POST', `/servers/${id}/action`, rebuild)
  await cloud.env.sagas.idle()
  assert.deepEqual([field in put.body.server, field in rebuilt.body.server], [false, false])
  assert.equal(rebuilt.body.server.user_data, 'aGVsbG8=')
  assert.equal((await cloud.show(admin, id))[field], 'aGVsbG8=')
})

test('an access address comes back in the one form of RFC 5952', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const long = '0000:0000:0000:0000:0000:babe:220.12.22.2'
  const { id, accessIPv6 } = await cloud.boot(demo, { accessIPv6: long })
  assert.equal(accessIPv6, '::babe:dc0c:1602')
  const change = async (server: Record<string, string>) => {
    const { body } = await cloud.api<Answer>(demo, 'PUT', `/servers/${id}`, { server })
    return [body.server.accessIPv4, body.server.accessIPv6]
  }
  assert.deepEqual(await change({ accessIPv6: 'FE80:0::0:1', accessIPv4: '192.0.2.1' }), ['192.0.2.1', 'fe80::1'])
  assert.deepEqual(await change({ accessIPv6: '' }), ['192.0.2.1', ''])
})

onEachEngine('a server is pinned to its zone and unpinned', async database => {
  await using cloud = await serverCloud({ world: await newWorld(undefined, database) })
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const pin = (zone: string | null, version = '2.104') =>
    cloud.api<Answer>(demo, 'PUT', `/servers/${id}`, { server: { pinned_availability_zone: zone } }, version)
  assert.equal((await pin('nova', '2.103')).status, 400)
  const elsewhere = await pin('east')
  assert.deepEqual(
    [elsewhere.status, elsewhere.body.conflictingRequest!.message],
    [409, "Server can only be pinned to its current availability zone 'nova', but 'east' was requested."],
  )
  assert.equal((await pin('nova')).body.server.pinned_availability_zone, 'nova')
  assert.equal((await pin('nova')).status, 200)
  assert.equal((await pin('east')).status, 409)
  assert.equal((await pin(null)).body.server.pinned_availability_zone, null)
})

test('a server shows the hints that it was made with, and what its image says to compute', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const other = await cloud.boot(demo)
  const body = { server: cloud.newServer(), 'os:scheduler_hints': { same_host: other.id } }
  const made = await cloud.api<{ server: { id: string } }>(demo, 'POST', '/servers', body)
  await cloud.env.sagas.idle()
  const { id } = made.body.server
  const server = await cloud.show(demo, id)
  assert.deepEqual([server.scheduler_hints, server.image.properties], [{ same_host: [other.id] }, {}])
  assert.equal('scheduler_hints' in (await cloud.show(demo, id, '2.99')), false)
  assert.equal('properties' in (await cloud.show(demo, id, '2.97')).image, false)
})

test('from 2.102 on, parameters that nobody knows are refused', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  for (const path of [`/servers/${id}`, `/servers/${id}/ips`, '/extensions', '/os-availability-zone', '/flavors/42']) {
    assert.equal((await cloud.api(demo, 'GET', `${path}?x=1`, undefined, '2.101')).status, 200, path)
    assert.equal((await cloud.api(demo, 'GET', `${path}?x=1`, undefined, '2.102')).status, 400, path)
  }
})

test('a server has no shares as long as the cloud has none, and gets none while it runs', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const path = `/servers/${id}/shares`
  const share_id = '00000000-0000-4000-8000-000000000001'
  assert.deepEqual((await cloud.api<{ shares: unknown[] }>(demo, 'GET', path)).body, { shares: [] })
  assert.equal((await cloud.api(demo, 'GET', path, undefined, '2.96')).status, 404)
  const attach = () => cloud.api<Record<string, { message: string }>>(demo, 'POST', path, { share: { share_id } })
  assert.deepEqual(
    Object.values((await attach()).body)[0]!.message,
    `Cannot 'create share' instance ${id} while it is in vm_state active`,
  )
  assert.equal((await cloud.api(demo, 'POST', `/servers/${id}/action`, { 'os-stop': null })).status, 202)
  await cloud.env.sagas.idle()
  assert.deepEqual(Object.values((await attach()).body)[0]!.message, `Share ${share_id} could not be found.`)
  assert.equal((await cloud.api(demo, 'GET', `${path}/${share_id}`)).status, 404)
  assert.equal((await cloud.api(demo, 'POST', path, { share: { share_id: 'x' } })).status, 400)
})
