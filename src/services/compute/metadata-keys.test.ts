/** Metadata keys that differ by case only: refused where the configuration wants it, found and renamed by `nephos metadata clashes`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdminApi } from '../../cli/admin-api.ts'
import { rename, renamings } from '../../cli/metadata-clashes.ts'
import { serverCloud } from './servers/fixtures/server-cloud.ts'
import { newWorld } from './servers/fixtures/world.ts'

async function stage(set: string[]) {
  const cloud = await serverCloud({ set })
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo, { metadata: { role: 'front' } })
  const path = `/servers/${server.id}/metadata`
  return {
    cloud,
    demo,
    set: async (metadata: object) => (await cloud.api(demo, 'POST', path, { metadata })).status,
    replace: async (metadata: object) => (await cloud.api(demo, 'PUT', path, { metadata })).status,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}

test('keys of any case are taken as upstream takes them, until the configuration wants lower case', async () => {
  await using s = await stage([])
  assert.equal(await s.set({ Role: 'back' }), 200)
})

test('with lower case only, a key with capitals is a 400 wherever it is set', async () => {
  await using s = await stage(['compute.lowercase_metadata_keys=true'])
  assert.equal(await s.set({ Role: 'back' }), 400)
  assert.equal(await s.replace({ role: 'x', Tier: '1' }), 400)
  assert.equal(await s.set({ tier: '1' }), 200)
  const server = s.cloud.newServer({ metadata: { Foo: '1' } })
  assert.equal((await s.cloud.api(s.demo, 'POST', '/servers', { server })).status, 400)
  const admin = await s.cloud.admin()
  const aggregate = { name: 'ssd', availability_zone: null }
  const made = await s.cloud.api<{ aggregate: { id: number } }>(admin, 'POST', '/os-aggregates', { aggregate })
  const put = (metadata: object) =>
    s.cloud.api(admin, 'POST', `/os-aggregates/${made.body.aggregate.id}/action`, { set_metadata: { metadata } })
  assert.equal((await put({ SSD: '1' })).status, 400)
  assert.equal((await put({ ssd: '1' })).status, 200)
  assert.equal((await put({ SSD: null })).status, 200)
})

test('keys with capitals from before stay until they are deleted, and no key is set that one of them stands for', async () => {
  const world = await newWorld()
  const before = await serverCloud({ world })
  const demo = await before.project('p1')
  const { id } = await before.boot(demo, { metadata: { Role: 'front' } })
  await before.kill()
  await using cloud = await serverCloud({ world, set: ['compute.lowercase_metadata_keys=true'] })
  const path = `/servers/${id}/metadata`
  const set = async (metadata: object) =>
    cloud.api<{ badRequest?: { message: string } }>(demo, 'POST', path, { metadata })
  assert.equal((await set({ tier: '1', Role: 'back' })).status, 200)
  const refused = await set({ role: 'back' })
  assert.deepEqual(
    [refused.status, refused.body.badRequest?.message],
    [400, 'Metadata key Role differs from role by case only: delete it first.'],
  )
  assert.equal((await cloud.api(demo, 'DELETE', `${path}/Role`)).status, 204)
  assert.equal((await set({ role: 'back' })).status, 200)
})

test('of keys that clash the lower one stays, the others are numbered, and no value is lost', () => {
  assert.deepEqual(renamings({ foo: '1', bar: '2', Bar_2: '3' }), [])
  assert.deepEqual(renamings({ Foo: '1', foo: '2', FOO: '3', foo_2: '4' }), [
    { from: 'foo', to: 'foo' },
    { from: 'FOO', to: 'foo_3' },
    { from: 'Foo', to: 'foo_4' },
  ])
  assert.deepEqual(renamings({ Foo: '1', FOO: '2' }), [
    { from: 'FOO', to: 'foo' },
    { from: 'Foo', to: 'foo_2' },
  ])
})

test('what a user changed since the list was read stays changed', async () => {
  const sent: unknown[] = []
  const api = {
    async compute(path: string, change?: { body?: unknown }) {
      if (change) sent.push([path, change.body])
      return { status: 200, body: { metadata: { Foo: 'newer', foo: '2', more: '3' } } }
    },
  } as unknown as AdminApi
  const holder = { kind: 'server', id: 's', name: 's', metadata: { Foo: '1', foo: '2' } } as const
  assert.equal(await rename(api, holder), true)
  assert.deepEqual(sent, [['/servers/s/metadata', { metadata: { foo: '2', more: '3', foo_2: 'newer' } }]])
})

test('a server that is gone needs no repair; one that cannot be read is not told as repaired', async t => {
  t.mock.method(console, 'error', () => {})
  const holder = { kind: 'server', id: 's', name: 's', metadata: { Foo: '1', foo: '2' } } as const
  const answering = (status: number) => ({ compute: async () => ({ status, body: {} }) }) as unknown as AdminApi
  assert.equal(await rename(answering(404), holder), true)
  assert.equal(await rename(answering(503), holder), false)
})
