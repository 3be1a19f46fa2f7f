/** What hangs on a server: metadata, tags, addresses, interfaces, counters, and the record of actions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from './fixtures/server-cloud.ts'

async function stage() {
  const cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo, { metadata: { role: 'web' } })
  return {
    cloud,
    demo,
    server,
    call: <T = Record<string, never>>(method: string, path: string, body?: unknown, version = 'latest') =>
      cloud.api<T>(demo, method, `/servers/${server.id}${path}`, body, version),
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('metadata is read, merged, replaced, and changed item by item', async () => {
  await using s = await stage()
  const all = async () => (await s.call('GET', '/metadata')).body
  assert.deepEqual(await all(), { metadata: { role: 'web' } })
  const merged = await s.call('POST', '/metadata', { metadata: { tier: '1' } })
  assert.deepEqual(merged.body, { metadata: { role: 'web', tier: '1' } })
  assert.deepEqual((await s.call('PUT', '/metadata', { metadata: { a: 'b' } })).body, { metadata: { a: 'b' } })
  assert.deepEqual((await s.call('PUT', '/metadata/c', { meta: { c: 'd' } })).body, { meta: { c: 'd' } })
  assert.deepEqual((await s.call('GET', '/metadata/c')).body, { meta: { c: 'd' } })
  assert.equal((await s.call('PUT', '/metadata/c', { meta: { x: 'd' } })).status, 400)
  assert.equal((await s.call('DELETE', '/metadata/a')).status, 204)
  assert.equal((await s.call('DELETE', '/metadata/a')).status, 404)
  assert.equal((await s.call('GET', '/metadata/a')).status, 404)
  assert.deepEqual(await all(), { metadata: { c: 'd' } })
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`k${i}`, 'v']))
  assert.equal((await s.call('POST', '/metadata', { metadata: many })).status, 403)
  assert.equal((await s.call('POST', '/metadata', { metadata: { k: 'v'.repeat(256) } })).status, 400)
  assert.equal((await s.call('POST', '/metadata', { metadata: { 'k\n': 'v' } })).status, 400)
  assert.equal((await s.call('POST', '/metadata', { metadata: { k: 1 } })).status, 400)
})

test('tags are put on and taken off, from 2.26 on', async () => {
  await using s = await stage()
  const added = await s.call('PUT', '/tags/web')
  assert.equal(added.status, 201)
  assert.match(added.headers.location ?? '', /\/tags\/web$/)
  assert.equal((await s.call('PUT', '/tags/web')).status, 204)
  assert.equal((await s.call('GET', '/tags/web')).status, 204)
  assert.deepEqual((await s.call('PUT', '/tags', { tags: ['b', 'a'] })).body, { tags: ['a', 'b'] })
  assert.equal((await s.call('GET', '/tags/web')).status, 404)
  assert.equal((await s.call('DELETE', '/tags/web')).status, 404)
  assert.equal((await s.call('DELETE', '/tags/a')).status, 204)
  assert.deepEqual((await s.call('GET', '/tags')).body, { tags: ['b'] })
  assert.equal((await s.call('DELETE', '/tags')).status, 204)
  assert.deepEqual((await s.call('GET', '/tags')).body, { tags: [] })
  assert.equal((await s.call('PUT', '/tags', { tags: ['a,b'] })).status, 400)
  assert.equal((await s.call('PUT', `/tags/${'x'.repeat(61)}`)).status, 400)
  assert.equal((await s.call('GET', '/tags', undefined, '2.25')).status, 404)
  const most = Array.from({ length: 50 }, (_, i) => `t${i}`)
  await s.call('PUT', '/tags', { tags: most })
  assert.equal((await s.call('PUT', '/tags/t50')).status, 400)
})

test('addresses are shown by network', async () => {
  await using s = await stage()
  interface Attachments {
    interfaceAttachments: { fixed_ips: { ip_address: string }[] }[]
  }
  const { interfaceAttachments } = (await s.call<Attachments>('GET', '/os-interface')).body
  const address = interfaceAttachments[0]!.fixed_ips[0]!.ip_address
  const list = [{ version: 4, addr: address }]
  assert.deepEqual((await s.call('GET', '/ips')).body, { addresses: { private: list } })
  assert.deepEqual((await s.call('GET', '/ips/private')).body, { private: list })
  assert.equal((await s.call('GET', '/ips/public')).status, 404)
})

test('an interface is attached to the running guest and detached again', async () => {
  await using s = await stage()
  interface Attachment {
    interfaceAttachment: { port_id: string; net_id: string; tag?: string | null }
  }
  const guest = s.cloud.world.guests.h1!.get(s.server.id)!
  const made = await s.call<Attachment>('POST', '/os-interface', { interfaceAttachment: { net_id: s.cloud.network } })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  const { port_id } = made.body.interfaceAttachment
  assert.equal(guest.nics.length, 2)
  assert.equal((await s.call<Attachment>('GET', `/os-interface/${port_id}`)).body.interfaceAttachment.port_id, port_id)
  const old = await s.call<Attachment>('GET', `/os-interface/${port_id}`, undefined, '2.69')
  assert.equal('tag' in old.body.interfaceAttachment, false)
  assert.equal((await s.call('DELETE', `/os-interface/${port_id}`)).status, 202)
  await s.cloud.env.sagas.idle()
  assert.equal(guest.nics.length, 1)
  assert.equal((await s.call('GET', `/os-interface/${port_id}`)).status, 404)
  assert.equal((await s.call('DELETE', `/os-interface/${port_id}`)).status, 404)
  assert.equal((await s.cloud.held()).ports, 1)
})

test('an interface that the guest does not take leaves no port', async () => {
  await using s = await stage()
  s.cloud.drivers.h1!.inject({ method: 'attachNic', error: 'no slot' })
  const made = await s.call('POST', '/os-interface', { interfaceAttachment: {} })
  assert.equal(made.status, 500)
  assert.equal((await s.cloud.held()).ports, 1)
  const both = { net_id: s.cloud.network, port_id: s.cloud.network }
  assert.equal((await s.call('POST', '/os-interface', { interfaceAttachment: both })).status, 400)
  const lone = { fixed_ips: [{ ip_address: '10.0.0.9' }] }
  assert.equal((await s.call('POST', '/os-interface', { interfaceAttachment: lone })).status, 400)
})

test('an interface that the guest has lost without anybody hearing of it comes back, as it is the server’s still', async () => {
  await using s = await stage()
  const driver = s.cloud.drivers.h1!
  const [nic] = driver.guests.get(s.server.id)!.nics
  driver.inject({ method: 'detachNic', error: 'the answer is lost', afterwards: true })
  assert.equal((await s.call('DELETE', `/os-interface/${nic!.port_id}`)).status, 202)
  await s.cloud.env.sagas.idle()
  assert.equal((await s.cloud.held()).ports, 1)
  assert.deepEqual(
    driver.guests.get(s.server.id)!.nics.map(({ port_id }) => port_id),
    [nic!.port_id],
  )
})

test('an interface for a server that is deleted meanwhile is for one that is not there', async () => {
  await using s = await stage()
  const reached = Promise.withResolvers<void>()
  s.cloud.drivers.h1!.inject({ method: 'attachNic', delayMs: 50, error: 'the guest goes', hit: reached.resolve })
  const attached = s.call('POST', '/os-interface', { interfaceAttachment: {} })
  await reached.promise
  assert.equal((await s.call('DELETE', '')).status, 204)
  assert.equal((await attached).status, 404)
  await s.cloud.env.sagas.idle()
  assert.equal((await s.cloud.held()).ports, 0)
})

test('counters are for admins, in the old form and in the one of 2.48', async () => {
  await using s = await stage()
  assert.equal((await s.call('GET', '/diagnostics')).status, 403)
  const admin = await s.cloud.admin()
  const read = async (version: string) =>
    (
      await s.cloud.api<Record<string, unknown>>(
        admin,
        'GET',
        `/servers/${s.server.id}/diagnostics`,
        undefined,
        version,
      )
    ).body
  const now = await read('latest')
  assert.equal(now.state, 'running')
  assert.equal(now.driver, 'libvirt')
  assert.equal(now.num_cpus, 1)
  assert.equal((now.nic_details as unknown[]).length, 1)
  const old = await read('2.47')
  assert.equal(typeof old.memory, 'number')
  assert.equal('cpu0_time' in old, true)
  // Gone from its host a moment ago: the database has not heard of it yet.
  s.cloud.world.guests.h1!.delete(s.server.id)
  const gone = await s.cloud.api(admin, 'GET', `/servers/${s.server.id}/diagnostics`)
  assert.equal(gone.status, 409)
})

test('what was done to a server can be read, newest first, with its events, and after its end', async () => {
  await using s = await stage()
  await s.call('POST', '/action', { pause: null })
  await s.cloud.env.sagas.idle()
  await s.call('POST', '/action', { lock: null })
  await s.call('POST', '/action', { unlock: null })
  interface Actions {
    instanceActions: { action: string; request_id: string; message: string | null; updated_at?: string }[]
  }
  const list = async (query = '', version = 'latest') =>
    (await s.call<Actions>('GET', `/os-instance-actions${query}`, undefined, version)).body.instanceActions
  const actions = await list()
  assert.deepEqual(
    actions.map(one => one.action),
    ['unlock', 'lock', 'pause', 'create'],
  )
  const paused = actions[2]!
  assert.equal('updated_at' in (await list('', '2.57'))[0]!, false)
  assert.equal((await list('?limit=1')).length, 1)
  assert.deepEqual(
    (await list(`?marker=${paused.request_id}`)).map(one => one.action),
    ['create'],
  )
  interface Shown {
    instanceAction: { events?: { event: string; result: string; host?: string; traceback?: string }[] }
  }
  const shown = await s.call<Shown>('GET', `/os-instance-actions/${paused.request_id}`)
  assert.deepEqual(
    shown.body.instanceAction.events?.map(one => one.result),
    ['Success', 'Success'],
  )
  assert.equal('host' in shown.body.instanceAction.events![0]!, false)
  const old = await s.call<Shown>('GET', `/os-instance-actions/${paused.request_id}`, undefined, '2.50')
  assert.equal('events' in old.body.instanceAction, false)
  assert.equal((await s.call('GET', '/os-instance-actions/req-none')).status, 404)
  await s.call('DELETE', '')
  await s.cloud.env.sagas.idle()
  assert.deepEqual(
    (await list()).map(one => one.action),
    ['delete', 'unlock', 'lock', 'pause', 'create'],
  )
  assert.equal((await s.call('GET', '/os-instance-actions', undefined, '2.20')).status, 404)
})
