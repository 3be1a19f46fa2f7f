/** What a project may have of images, by the unified limits of identity. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onEachEngine } from '../../../test/engines.ts'
import { type ImageCloud, imageCloud, upload } from './fixtures/image-cloud.ts'
import { opened, web } from './fixtures/web.ts'

const MiB = 1024 * 1024

/** Registers limits for all projects. Gives what asks identity, and the id of the image service. */
async function limited(s: ImageCloud, limits: Record<string, number>) {
  const ask = <T>(method: string, path: string, body?: unknown) =>
    s.cloud.request<T>(method, `/identity/v3${path}`, { token: s.admin, ...(body ? { body } : {}) })
  const { services } = (await ask<{ services: { id: string }[] }>('GET', '/services?type=image')).body
  const service_id = services[0]!.id
  const registered_limits = Object.entries(limits).map(([resource_name, default_limit]) => ({
    ...{ service_id, resource_name, default_limit },
  }))
  assert.equal((await ask('POST', '/registered_limits', { registered_limits })).status, 201)
  return { ask, service_id }
}

onEachEngine('registered limits hold for images, bytes and uploads, and a project may have its own', async database => {
  await using s = await imageCloud(database)
  const limits = { image_size_total: 2, image_stage_total: 1, image_count_total: 3, image_count_uploading: 1 }
  const { ask, service_id } = await limited(s, limits)

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

onEachEngine('a copy takes room of its own, and what is downloaded is an upload', async database => {
  await using site = await web((_request, response) => void response.end('of the web'))
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-quota-'))
  const stores = { second: { type: 'file', directory: folder } }
  await using s = await imageCloud(database, [...opened, `image.stores=${JSON.stringify(stores)}`])
  try {
    await limited(s, { image_size_total: 2, image_stage_total: 2, image_count_uploading: 1 })
    const bring = async (who: typeof s.mine | string, id: string, body: object) => {
      assert.equal((await s.call(who, 'POST', `/v2/images/${id}/import`, { body })).status, 202)
      await s.cloud.env.sagas.idle()
      const { tasks } = (await s.call<{ tasks: { message: string }[] }>(who, 'GET', `/v2/images/${id}/tasks`)).body
      const { status, stores, ...more } = (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
      return { status, stores, failed: more.os_glance_failed_import, message: tasks.at(-1)!.message }
    }
    const { id } = await s.make()
    await s.fill(id, Buffer.alloc(1.5 * MiB))
    const copied = await bring(s.admin, id, { method: { name: 'copy-image' }, stores: ['second'] })
    assert.match(copied.message, /image_size_total is over limit of 2/)
    assert.deepEqual([copied.status, copied.stores, copied.failed], ['active', 'file', 'second'])

    const staged = await s.make()
    const download = { method: { name: 'web-download', uri: site.url } }
    const other = await s.make()
    assert.equal((await s.call(s.mine, 'PUT', `/v2/images/${staged.id}/stage`, upload('few'))).status, 204)
    const second = await bring(s.mine, other.id, download)
    assert.match(second.message, /image_count_uploading is over limit of 1/)
    assert.equal(second.status, 'queued')
    assert.equal((await bring(s.mine, staged.id, { method: { name: 'glance-direct' } })).status, 'active')
    assert.equal((await bring(s.mine, other.id, download)).status, 'active')
    const { usage } = (await s.call<{ usage: Record<string, { usage: number }> }>(s.mine, 'GET', '/v2/info/usage')).body
    assert.deepEqual([usage.image_stage_total!.usage, usage.image_count_uploading!.usage], [0, 0])
  } finally {
    await rm(folder, { recursive: true })
  }
})

onEachEngine('a byte counts for more in a store whose room is scarce (S-305)', async database => {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-weights-'))
  const stores = { cheap: { type: 'file', directory: folder, quota_weight: 0.5 } }
  await using s = await imageCloud(database, ['image.quota_weight=2', `image.stores=${JSON.stringify(stores)}`])
  try {
    await limited(s, { image_size_total: 4 })
    const put = async (bytes: number, store: string) => {
      const { id } = await s.make()
      const { headers, body } = upload(Buffer.alloc(bytes))
      const more = { ...headers, 'x-image-meta-store': store }
      return (await s.call(s.mine, 'PUT', `/v2/images/${id}/file`, { body, headers: more })).status
    }
    const used = async () => {
      const { body } = await s.call<{ usage: Record<string, { usage: number }> }>(s.mine, 'GET', '/v2/info/usage')
      return body.usage.image_size_total!.usage
    }
    assert.equal(await put(2 * MiB, 'cheap'), 204)
    assert.equal(await used(), 1)
    assert.equal(await put(MiB, 'file'), 204)
    assert.equal(await used(), 3)
    assert.equal(await put(MiB, 'file'), 413)
    assert.equal(await put(2 * MiB, 'cheap'), 204)
    assert.equal(await put(1, 'cheap'), 413)
  } finally {
    await rm(folder, { recursive: true })
  }
})
