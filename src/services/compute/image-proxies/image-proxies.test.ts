import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCtx } from '#kernel/context.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud, projects } from '../fixtures/compute-cloud.ts'

type Cloud = Awaited<ReturnType<typeof computeCloud>>
interface Image {
  id: string
  name: string
  status: string
  progress: number
  metadata: Record<string, string>
  links: { rel: string; href: string }[]
}

async function newImage(cloud: Cloud, name: string, properties: Record<string, string> = {}): Promise<string> {
  const identity = { ...cloud.ctx().identity, project_id: projects.demo }
  const ctx = createCtx(cloud.env, { requestId: 'req-test', identity })
  const image = { name, disk_format: 'raw', container_format: 'bare', visibility: 'private' as const, properties }
  return (await cloud.env.services.image.create(ctx, image)).id
}

onEachEngine('images are listed, filtered, paged, shown and deleted up to 2.35', async database => {
  await using cloud = await computeCloud({ database })
  const debian = await newImage(cloud, 'debian', { os_distro: 'debian' })
  const fedora = await newImage(cloud, 'fedora')
  const names = async (query: string) => {
    const path = `/images${query}`
    const { body } = await cloud.call<{ images: Image[] }>('alice', 'GET', path, undefined, '2.35')
    return body.images.map(image => image.name).sort()
  }
  assert.deepEqual(await names(''), ['debian', 'fedora'])
  assert.deepEqual(await names('?name=debian'), ['debian'])
  assert.deepEqual(await names('?status=SAVING'), [])
  assert.deepEqual(await names('?property-os_distro=debian'), ['debian'])
  assert.deepEqual(await names('/detail?status=QUEUED'), ['debian', 'fedora'])
  assert.equal((await names('?limit=1')).length, 1)
  const { body } = await cloud.call<{ image: Image }>('alice', 'GET', `/images/${debian}`, undefined, '2.1')
  const { name, status, progress, metadata } = body.image
  assert.deepEqual([name, status, progress, metadata], ['debian', 'SAVING', 25, { os_distro: 'debian' }])
  assert.deepEqual(
    body.image.links.map(link => link.rel),
    ['self', 'bookmark', 'alternate'],
  )
  const at = async (who: 'alice' | 'bob', method: string, id: string, version = '2.35') =>
    (await cloud.call(who, method, `/images/${id}`, undefined, version)).status
  assert.equal(await at('bob', 'GET', debian), 404)
  assert.equal(await at('bob', 'DELETE', debian), 404)
  assert.equal(await at('alice', 'GET', debian, '2.36'), 404)
  assert.equal(await at('alice', 'DELETE', fedora), 204)
  assert.equal(await at('alice', 'GET', fedora), 404)
})

onEachEngine("an image's metadata is read and changed up to 2.38", async database => {
  await using cloud = await computeCloud({ database })
  const id = await newImage(cloud, 'debian', { a: '1' })
  const call = async (method: string, path = '', body?: unknown, version = '2.38') => {
    const answer = await cloud.call<unknown>('alice', method, `/images/${id}/metadata${path}`, body, version)
    return [answer.status, answer.body]
  }
  assert.deepEqual(await call('GET'), [200, { metadata: { a: '1' } }])
  assert.deepEqual(await call('POST', '', { metadata: { b: '2' } }), [200, { metadata: { a: '1', b: '2' } }])
  assert.deepEqual(await call('PUT', '/a', { meta: { a: '3' } }), [200, { meta: { a: '3' } }])
  assert.equal((await call('PUT', '/a', { meta: { b: '3' } }))[0], 400)
  assert.deepEqual(await call('GET', '/a'), [200, { meta: { a: '3' } }])
  assert.equal((await call('GET', '/none'))[0], 404)
  assert.deepEqual(await call('DELETE', '/none'), [
    404,
    { itemNotFound: { code: 404, message: 'Invalid metadata key' } },
  ])
  assert.equal((await call('DELETE', '/a'))[0], 204)
  assert.deepEqual(await call('PUT', '', { metadata: { c: '4' } }), [200, { metadata: { c: '4' } }])
  assert.equal((await call('GET', '', undefined, '2.39'))[0], 404)
})

test('an image has as many metadata items as the quota says', async () => {
  await using cloud = await computeCloud({ set: ['compute.quota.metadata_items=1'] })
  const id = await newImage(cloud, 'debian', { a: '1' })
  const path = `/images/${id}/metadata`
  const answer = await cloud.call<{ forbidden: { message: string } }>(
    'alice',
    'POST',
    path,
    { metadata: { b: '2' } },
    '2.38',
  )
  assert.deepEqual([answer.status, answer.body.forbidden.message], [403, 'Image metadata limit exceeded'])
})
