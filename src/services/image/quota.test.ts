/** What a project may have of images, by the unified limits of identity. */
import assert from 'node:assert/strict'
import { onEachEngine } from '../../../test/engines.ts'
import { imageCloud, upload } from './fixtures/image-cloud.ts'

const MiB = 1024 * 1024

onEachEngine('registered limits hold for images, bytes and uploads, and a project may have its own', async database => {
  await using s = await imageCloud(database)
  const ask = <T>(method: string, path: string, body?: unknown) =>
    s.cloud.request<T>(method, `/identity/v3${path}`, { token: s.admin, ...(body ? { body } : {}) })
  const { services } = (await ask<{ services: { id: string }[] }>('GET', '/services?type=image')).body
  const service_id = services[0]!.id
  const limits = { image_size_total: 2, image_stage_total: 1, image_count_total: 3, image_count_uploading: 1 }
  const registered_limits = Object.entries(limits).map(([resource_name, default_limit]) => ({
    ...{ service_id, resource_name, default_limit },
  }))
  assert.equal((await ask('POST', '/registered_limits', { registered_limits })).status, 201)

  const made = [await s.make(), await s.make(), await s.make()]
  const fourth = await s.call<string>(s.mine, 'POST', '/v2/images', { body: {} })
  assert.equal(fourth.status, 413)
  assert.match(fourth.body, /\[Resource image_count_total is over limit of 3 due to current usage 3 and delta 1\]/)
  const own = [{ service_id, resource_name: 'image_count_total', resource_limit: 4, project_id: s.mine.id }]
  assert.equal((await ask('POST', '/limits', { limits: own })).status, 201)
  assert.equal((await s.call(s.mine, 'POST', '/v2/images', { body: {} })).status, 201)

  const put = (i: number, bytes: number, where = 'file') =>
    s.call<string>(s.mine, 'PUT', `/v2/images/${made[i]!.id}/${where}`, upload(Buffer.alloc(bytes)))
  assert.equal((await put(0, 1.5 * MiB)).status, 204)
  assert.equal((await put(1, 0.5 * MiB + 1)).status, 413)
  assert.equal((await put(1, MiB + 1, 'stage')).status, 413)
  assert.equal((await put(1, MiB, 'stage')).status, 204)
  const busy = await put(2, 10)
  assert.equal(busy.status, 413)
  assert.match(busy.body, /image_count_uploading is over limit of 1/)
  const { usage } = (await s.call<{ usage: unknown }>(s.mine, 'GET', '/v2/info/usage')).body
  assert.deepEqual(usage, {
    image_size_total: { limit: 2, usage: 2 },
    image_stage_total: { limit: 1, usage: 1 },
    image_count_total: { limit: 4, usage: 4 },
    image_count_uploading: { limit: 1, usage: 1 },
  })
  const method = { name: 'glance-direct' }
  assert.equal((await s.call(s.mine, 'POST', `/v2/images/${made[1]!.id}/import`, { body: { method } })).status, 202)
  await s.cloud.env.sagas.idle()
  const failed = (await s.call(s.mine, 'GET', `/v2/images/${made[1]!.id}`)).body
  assert.equal(failed.status, 'queued', 'what is staged does not fit into the store')
})
