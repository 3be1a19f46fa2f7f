/** Imports to several stores, and copies from one to another. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ImageCloud, imageCloud, upload } from '../fixtures/image-cloud.ts'
import { at, bring, direct, idle, show, stage } from '../fixtures/imports.ts'

async function severalStores(database: Parameters<typeof imageCloud>[0], set: string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-stores-'))
  await writeFile(join(folder, 'file'), '')
  const stores = {
    fast: { type: 'file', directory: join(folder, 'fast'), weight: 10, description: 'Quick' },
    // A folder that cannot be made.
    broken: { type: 'file', directory: join(folder, 'file', 'broken'), weight: -1 },
    web: { type: 'http' },
  }
  const s = await imageCloud(database, [`image.stores=${JSON.stringify(stores)}`, ...set])
  return {
    s,
    kept: (store: 'fast') => readdir(join(folder, store)).catch(() => []),
    async [Symbol.asyncDispose]() {
      await s[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

onEachEngine('an image is imported to several stores, copied to more and deleted from one', async database => {
  await using cloud = await severalStores(database)
  const { s, kept } = cloud
  const list = (await s.call<{ stores: unknown }>(s.mine, 'GET', '/v2/info/stores')).body.stores
  assert.deepEqual(list, [
    { id: 'file', description: 'Files on a disk of the cloud', default: 'true' },
    { id: 'fast', description: 'Quick' },
    { id: 'broken' },
    { id: 'web', 'read-only': 'true' },
  ])
  const { id } = await s.make()
  await stage(s, id, 'bytes')
  assert.equal((await bring(s, id, direct, { stores: ['file', 'fast'] })).status, 202)
  await idle(s)
  assert.equal((await show(s, id)).stores, 'fast,file', 'the heaviest first')
  assert.deepEqual(await kept('fast'), await s.files())

  const from = (store: string, image: string, who: string | ImageCloud['mine'] = s.admin) =>
    s.call<string>(who, 'DELETE', `/v2/stores/${store}/${image}`)
  assert.equal((await from('fast', id, s.mine)).status, 403)
  assert.equal((await from('moon', id)).status, 409)
  assert.equal((await from('file', id)).status, 204)
  assert.equal((await from('file', id)).status, 403, 'the last')
  assert.equal((await show(s, id)).stores, 'fast')
  while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`)).body as unknown, 'bytes')

  const copy = { name: 'copy-image' }
  assert.equal((await bring(s, id, copy, { stores: ['file'] })).status, 403)
  assert.equal((await bring(s, id, copy, { stores: ['fast'] }, s.admin)).status, 400)
  assert.equal((await bring(s, id, copy, { stores: ['file'] }, s.admin)).status, 202)
  await idle(s)
  assert.equal((await show(s, id)).stores, 'fast,file')
  assert.equal((await from('broken', id)).status, 404)

  const failing = await bring(s, id, copy, { all_stores: true }, s.admin)
  assert.equal(failing.status, 202)
  await idle(s)
  const after = await show(s, id)
  assert.equal(after.status, 'active', 'a copy that fails does no harm')
  assert.equal(after.stores, 'fast,file')
  assert.equal(after.os_glance_failed_import, 'broken')
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`)).body as unknown, 'bytes')
})

onEachEngine('when a store fails, all do or only that one, as was asked', async database => {
  await using cloud = await severalStores(database)
  const { s, kept } = cloud
  const attempt = async (all_stores_must_succeed: boolean) => {
    const { id } = await s.make()
    await stage(s, id, 'bytes')
    await bring(s, id, direct, { stores: ['fast', 'broken'], all_stores_must_succeed })
    await idle(s)
    return show(s, id)
  }
  const all = await attempt(true)
  assert.equal(all.status, 'queued')
  assert.equal(all.stores, undefined)
  assert.equal(all.os_glance_failed_import, 'broken,fast')
  while ((await s.files()).length + (await kept('fast')).length > 0) await s.cloud.env.clock.sleep(5)
  const some = await attempt(false)
  assert.equal(some.status, 'active')
  assert.equal(some.stores, 'fast')
  assert.equal(some.os_glance_failed_import, 'broken')
  while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
  assert.equal((await kept('fast')).length, 1)

  const { id } = await s.make()
  const headers = { 'x-image-meta-store': 'fast' }
  const wrong = await s.call(s.mine, 'PUT', `${at(id)}/file`, upload('x', { 'x-image-meta-store': 'web' }))
  assert.equal(wrong.status, 400)
  assert.equal((await s.call(s.mine, 'PUT', `${at(id)}/file`, upload('x', headers))).status, 204)
  assert.equal((await show(s, id)).stores, 'fast')
})
