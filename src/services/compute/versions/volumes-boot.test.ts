/** Servers under their older name: what is done there is done to the server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'
import { tiny } from '../servers/fixtures/world.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const call = async <T>(method: string, path: string, body?: unknown, version = '2.102') => {
    const answer = await cloud.api<T>(demo, method, `/os-volumes_boot${path}`, body, version)
    await cloud.env.sagas.idle()
    return answer
  }
  return { cloud, demo, call, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

interface One {
  server: { id: string; name: string; status: string }
}
interface All {
  servers: { id: string; name: string; status?: string }[]
}

test('a server is made, listed, shown, renamed and deleted there, and it is the one of /servers', async () => {
  await using s = await stage()
  const made = await s.call<One>('POST', '', { server: s.cloud.newServer({ name: 'older' }) })
  assert.equal(made.status, 202)
  const { id } = made.body.server
  assert.equal((await s.cloud.show(s.demo, id)).status, 'ACTIVE')
  assert.deepEqual(
    (await s.call<All>('GET', '')).body.servers.map(one => [one.id, one.name]),
    [[id, 'older']],
  )
  assert.deepEqual(
    (await s.call<All>('GET', '/detail')).body.servers.map(one => [one.id, one.status]),
    [[id, 'ACTIVE']],
  )
  assert.deepEqual((await s.call<One>('GET', `/${id}`)).body.server, await s.cloud.show(s.demo, id, '2.102'))
  const renamed = await s.call<One>('PUT', `/${id}`, { server: { name: 'newer' } })
  assert.deepEqual([renamed.status, renamed.body.server.name], [200, 'newer'])
  const other = await s.cloud.project('p2')
  assert.equal((await s.cloud.api(other, 'GET', `/os-volumes_boot/${id}`, undefined, '2.102')).status, 404)
  assert.equal((await s.call('DELETE', `/${id}`)).status, 204)
  assert.deepEqual(s.cloud.guestHosts(id), [])
  assert.equal((await s.call('GET', `/${id}`)).status, 404)
})

test('its actions reach the server', async () => {
  await using s = await stage()
  const { id } = await s.cloud.boot(s.demo)
  const act = async (body: object, version = '2.102') => {
    const { status } = await s.call('POST', `/${id}/action`, body, version)
    const now = await s.cloud.show(s.demo, id)
    return [status, now.status]
  }
  assert.deepEqual(await act({ 'os-stop': null }), [202, 'SHUTOFF'])
  assert.deepEqual(await act({ 'os-start': null }), [202, 'ACTIVE'])
  assert.deepEqual(await act({ reboot: { type: 'HARD' } }), [202, 'ACTIVE'])
  assert.deepEqual(await act({ rebuild: { imageRef: tiny } }), [202, 'ACTIVE'])
  assert.deepEqual(await act({ trigger_crash_dump: null }), [202, 'ACTIVE'])
  const flavor = async () => (await s.cloud.row(id)).flavor.id
  assert.deepEqual(await act({ resize: { flavorRef: '84' } }), [202, 'VERIFY_RESIZE'])
  assert.deepEqual([await act({ revertResize: null }), await flavor()], [[202, 'ACTIVE'], '42'])
  assert.deepEqual(await act({ resize: { flavorRef: '84' } }), [202, 'VERIFY_RESIZE'])
  assert.deepEqual([await act({ confirmResize: null }), await flavor()], [[204, 'ACTIVE'], '84'])
  const image = await s.call<{ image_id: string }>('POST', `/${id}/action`, { createImage: { name: 'copy' } })
  const copy = await s.cloud.request<{ name: string; status: string }>(
    'GET',
    `/image/v2/images/${image.body.image_id}`,
    { token: s.demo.token },
  )
  assert.deepEqual([copy.body.name, copy.body.status], ['copy', 'active'])
  assert.equal((await act({ pause: null }))[0], 400, 'an action that came after this name')
})
