/** The kernel's walk of a request, on a whole cloud. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from './harness.ts'
import { keptLog } from './kept-log.ts'

test('version discovery needs no token and says where it is', async () => {
  await using cloud = await testCloud()
  const list = await cloud.request<{ versions: { values: { links: { href: string }[] }[] } }>('GET', '/identity/')
  assert.equal(list.status, 300)
  assert.equal(list.body.versions.values[0]?.links[0]?.href, 'http://cloud.test/identity/v3/')
  assert.match(list.headers['x-openstack-request-id'] ?? '', /^req-/)
  assert.equal((await cloud.request('GET', '/identity/v3')).status, 200)
})

test('compute tells the id of a request by two headers, also when it refuses', async () => {
  await using cloud = await testCloud()
  for (const path of ['/compute/', '/compute/v2.1/servers', '/compute/v2.1/nothing']) {
    const { headers } = await cloud.request('GET', path)
    assert.match(headers['x-compute-request-id'] ?? '', /^req-/)
    assert.equal(headers['x-compute-request-id'], headers['x-openstack-request-id'])
  }
})

test('the log names the id that a caller sent along, when it is one (S-271)', async () => {
  const lines: Record<string, unknown>[] = []
  await using cloud = await testCloud({ log: keptLog(lines, 'info') })
  const sent = 'req-11111111-2222-4333-8444-555555555555'
  const { token } = await cloud.project('p')
  lines.length = 0
  for (const id of [sent, 'mine']) {
    await cloud.request('POST', '/compute/v2.1/servers', { token, body: {}, headers: { 'x-openstack-request-id': id } })
    await cloud.request('POST', '/image/v2/images', { token, body: {}, headers: { 'x-openstack-request-id': id } })
  }
  const told = lines.filter(line => line.msg === 'request answered').map(line => line.global_request_id)
  assert.deepEqual(told, [sent, sent, undefined, undefined])
})

test('a slash at the end stands before an empty name where the service says so', async () => {
  await using cloud = await testCloud()
  const status = async (path: string, method: 'GET' | 'DELETE' = 'GET') => (await cloud.request(method, path)).status
  assert.equal(await status('/image/v2/images/'), 404)
  assert.equal(await status('/image/v2/images/', 'DELETE'), 404)
  assert.equal(await status('/compute/v2.1/servers/?limit=1'), 404)
  assert.equal(await status('/compute/v2.1/'), 200)
  assert.equal(await status('/compute/v2.1/servers'), 401)
  assert.equal(await status('/network/v2.0/networks/'), 401)
})

test('unknown paths and methods are told in the envelope of the service', async () => {
  await using cloud = await testCloud()
  assert.deepEqual((await cloud.request('GET', '/identity/v3/nothing')).body, {
    error: { code: 404, title: 'Not Found', message: 'The resource could not be found.' },
  })
  assert.equal((await cloud.request('POST', '/identity/v3', { body: {} })).status, 405)
})
