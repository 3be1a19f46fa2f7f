import assert from 'node:assert/strict'
import { test } from 'node:test'
import { computeCloud } from '../fixtures/compute-cloud.ts'

test('clients discover the version without a token', async () => {
  await using cloud = await computeCloud()
  const { body } = await cloud.request<{ versions: Record<string, unknown>[] }>('GET', '/compute/')
  assert.deepEqual(body.versions, [
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
  assert.equal((await cloud.call('alice', 'GET', '/extensions/os-keypairs')).status, 200)
  assert.equal((await cloud.call('alice', 'GET', '/extensions/constructor')).status, 404)
})

test('what upstream took away is gone', async () => {
  await using cloud = await computeCloud()
  assert.equal((await cloud.call('alice', 'GET', '/os-cells')).status, 410)
  assert.equal((await cloud.call('alice', 'PUT', '/os-floating-ip-dns/a/entries/b', {})).status, 410)
})
