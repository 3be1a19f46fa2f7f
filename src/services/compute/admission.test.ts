/** What is turned away before anything is done, and what is told of old inputs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptLog } from '../../../test/kept-log.ts'
import { computeCloud } from './fixtures/compute-cloud.ts'
import { isPartOf, optionalParts } from './optional-parts.ts'
import { successors } from './outdated.ts'
import { serverCloud } from './servers/fixtures/server-cloud.ts'
import { tiny } from './servers/fixtures/world.ts'
import { computeService } from './service.ts'

test('who takes no JSON is told so in JSON, before anything is done', async () => {
  await using cloud = await computeCloud()
  const ask = (accept: string) =>
    cloud.request<{ computeFault?: { code: number; message: string } }>('GET', '/compute/v2.1/os-keypairs', {
      token: 'alice',
      headers: { accept },
    })
  const refused = await ask('application/xml')
  assert.equal(refused.status, 406)
  assert.match(refused.headers['content-type']!, /^application\/json/)
  assert.deepEqual(
    [refused.body.computeFault!.code, /application\/json/.test(refused.body.computeFault!.message)],
    [406, true],
  )
  for (const accept of ['application/json', '*/*', 'text/html, application/xml;q=0.9, */*;q=0.8', ''])
    assert.equal((await ask(accept)).status, 200, accept)
})

test('a part that is turned off is not listed, and its routes and actions are not there', async () => {
  await using cloud = await computeCloud({
    set: ['compute.disabled_parts=["os-keypairs", "os-pause-server", "os-migrate-server"]'],
  })
  const listed = await cloud.call<{ extensions: { alias: string }[] }>('alice', 'GET', '/extensions')
  const aliases = listed.body.extensions.map(one => one.alias)
  assert.deepEqual(
    ['os-keypairs', 'os-pause-server', 'os-shelve'].filter(alias => aliases.includes(alias)),
    ['os-shelve'],
  )
  assert.equal((await cloud.call('alice', 'GET', '/extensions/os-keypairs')).status, 404)
  for (const [method, path] of [
    ['GET', '/os-keypairs'],
    ['DELETE', '/os-keypairs/k'],
  ] as const)
    assert.equal((await cloud.call('alice', method, path)).status, 404, path)
  assert.equal((await cloud.call('alice', 'POST', '/os-keypairs', { keypair: { name: 'k' } })).status, 404)
  assert.equal((await cloud.call('alice', 'GET', '/os-aggregates')).status, 403, 'the others are there')
  const acted = async (action: string) =>
    JSON.stringify((await cloud.call('alice', 'POST', '/servers/s/action', { [action]: null })).body)
  assert.match(await acted('suspend'), /Instance s could not be found/)
  for (const action of ['pause', 'os-migrateLive', 'nephos-migrate'])
    assert.match(await acted(action), /The resource could not be found/, action)
})

test('what parts and successors are told of by their ids are operations', () => {
  const ids = computeService.operations.map(({ id }) => id)
  const none = [...Object.values(optionalParts).flat(), ...Object.keys(successors)].filter(
    about => !ids.some(id => (about.endsWith('.') ? id.startsWith(about) : id === about)),
  )
  assert.deepEqual(none, [])
})

test('an alias of an extension is none of the parts, whatever it is called', () => {
  assert.equal(isPartOf('constructor', 'compute.servers.list'), false)
})

test('a part that nobody knows is a mistake of the configuration', async () => {
  await assert.rejects(computeCloud({ set: ['compute.disabled_parts=["os-nonsense"]'] }), /disabled_parts/)
})

test('an old input works, and is one warning that names what to use instead', async () => {
  const lines: Record<string, unknown>[] = []
  await using cloud = await serverCloud({ log: keptLog(lines) })
  const demo = await cloud.project('p1')
  await cloud.boot(demo)
  assert.deepEqual(
    lines.filter(line => 'instead' in line),
    [],
  )
  const personality = [{ path: '/etc/motd', contents: Buffer.from('hello').toString('base64') }]
  const flavorRef = '1'
  const server = { name: 'old', imageRef: tiny, flavorRef, personality }
  for (let n = 0; n < 3; n++) assert.equal((await cloud.api(demo, 'POST', '/servers', { server }, '2.1')).status, 202)
  const told = lines.filter(line => 'instead' in line)
  assert.deepEqual(
    told.map(({ operation, input, instead, msg }) => ({ operation, input, instead, msg })),
    [
      {
        operation: 'compute.servers.create',
        input: 'server.personality',
        instead: 'user_data',
        msg: 'deprecated: use user_data',
      },
    ],
  )
  assert.ok(!JSON.stringify(told).includes(personality[0]!.contents), 'never the value')
})
