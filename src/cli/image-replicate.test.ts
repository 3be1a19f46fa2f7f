/** Which images are copied from one cloud to another. A journey copies them between real ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloudApi } from './cloud-api.ts'
import { replicate } from './image-replicate.ts'

test('what holds only the changes to another image is left, with a word on it, and is no failure', async () => {
  const shared = { name: 'backup', status: 'active', size: 5, checksum: 'c', os_hash_algo: null, os_hash_value: null }
  const [whole, changes] = [
    { ...shared, id: 'whole' },
    { ...shared, id: 'changes', os_glance_base_image_id: 'whole' },
  ]
  const bytes = new ReadableStream<Uint8Array>()
  const from = {
    json: async () => ({ images: [whole, changes] }),
    async open(path: string) {
      assert.equal(path, '/v2/images/whole/file')
      return bytes
    },
  } as unknown as CloudApi
  const sent: string[] = []
  const to = {
    find: async () => undefined,
    json: async (method: string) => (method === 'GET' ? whole : undefined),
    send: async (path: string) => void sent.push(path),
  } as unknown as CloudApi
  const said: string[] = []
  const done = await replicate(from, to, line => said.push(line))
  assert.deepEqual(done, { copied: 1, present: 0, left: 1, failed: 0 })
  assert.deepEqual(sent, ['/v2/images/whole/file'])
  assert.deepEqual(said, [
    'copied whole "backup", 5 bytes',
    'left changes "backup": it holds only what changed since image whole, and nobody can download that',
  ])
})
