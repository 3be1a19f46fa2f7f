/** The kernel's walk of a request, on a whole cloud. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from './harness.ts'

test('version discovery needs no token and says where it is', async () => {
  await using cloud = await testCloud()
  const list = await cloud.request<{ versions: { values: { links: { href: string }[] }[] } }>('GET', '/identity/')
  assert.equal(list.status, 300)
  assert.equal(list.body.versions.values[0]?.links[0]?.href, 'http://cloud.test/identity/v3/')
  assert.match(list.headers['x-openstack-request-id'] ?? '', /^req-/)
  assert.equal((await cloud.request('GET', '/identity/v3')).status, 200)
})

test('unknown paths and methods are told in the envelope of the service', async () => {
  await using cloud = await testCloud()
  assert.deepEqual((await cloud.request('GET', '/identity/v3/nothing')).body, {
    error: { code: 404, title: 'Not Found', message: 'The resource could not be found.' },
  })
  assert.equal((await cloud.request('POST', '/identity/v3', { body: {} })).status, 405)
})
