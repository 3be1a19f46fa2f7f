/** The controls by HTTP: the same as in the process, in a simulated cloud only, and not for web pages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { testCloud } from '../../test/harness.ts'
import { services } from '../services.ts'
import type { ClockState, Fault, TestCloud } from './controls.ts'
import { clientOf } from './fixtures/client.ts'
import { controlOperations } from './service.ts'
import { startCloud } from './start-cloud.ts'

async function control<T>(
  { url }: TestCloud,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T }> {
  const answer = await fetch(`${url}/_nephos${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.includes('json')
  return { status: answer.status, body: (isJson ? JSON.parse(text) : undefined) as T }
}

const urlOf = ({ path }: { path: string }) => path.replace(/\{\w+\}/g, 'nobody')

test('no other cloud has them, and no service that users know', async () => {
  await using real = await testCloud()
  const token = await real.login('admin')
  for (const one of controlOperations) {
    const { status } = await real.request(one.method, `/_nephos${urlOf(one)}`, { token, body: {} })
    assert.equal(status, 404, one.id)
  }
  assert.ok(!services.some(service => service.path === '/_nephos'))
})

test('they are in no catalog', async () => {
  await using cloud = await startCloud()
  const { token } = await (await clientOf(cloud, 'admin'))
    .get<{ token: { catalog: { type: string }[] } }>('/identity/v3/auth/catalog')
    .then(catalog => ({ token: catalog as unknown as { catalog: { type: string }[] } }))
  assert.ok(token.catalog.length > 3)
  assert.ok(!token.catalog.some(({ type }) => type === 'simulated'))
})

test('time by HTTP', async () => {
  await using cloud = await startCloud()
  const { body } = await control<{ clock: ClockState }>(cloud, 'POST', '/clock/freeze')
  const later = await control<{ clock: ClockState }>(cloud, 'POST', '/clock/advance', { seconds: 1.5 })
  assert.equal(Date.parse(later.body.clock.now) - Date.parse(body.clock.now), 1500)
  const idle = await control<{ clock: ClockState & { idle: boolean } }>(cloud, 'POST', '/clock/run-until-idle', {})
  assert.equal(idle.body.clock.idle, true)
  await control(cloud, 'POST', '/clock/run', { speed: 60 })
  const { clock } = (await control<{ clock: ClockState }>(cloud, 'GET', '/clock')).body
  assert.deepEqual({ ...clock, now: '', timers: 0 }, { now: '', frozen: false, speed: 60, timers: 0 })
})

test('faults and calls by HTTP', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  const asked = { kind: 'answer', status: 503, operation: 'compute.*', times: 2 }
  const { status, body } = await control<{ fault: Fault }>(cloud, 'POST', '/faults', { fault: asked })
  assert.equal(status, 201)
  assert.deepEqual(body.fault, { ...asked, id: body.fault.id, seen: 0, hits: 0 })
  assert.equal((await client.ask('GET', '/compute/v2.1/servers')).status, 503)
  const found = await control<{ calls: { status: number; url: string }[] }>(
    cloud,
    'GET',
    '/calls?status=503&operation=compute.*',
  )
  assert.deepEqual(
    found.body.calls.map(({ url }) => url),
    ['/compute/v2.1/servers'],
  )
  assert.equal((await control(cloud, 'DELETE', `/faults/${body.fault.id}`)).status, 204)
  assert.equal((await client.ask('GET', '/compute/v2.1/servers')).status, 200)
})

test('a reset by HTTP', async () => {
  await using cloud = await startCloud()
  const client = await clientOf(cloud)
  await client.createServer('one')
  assert.equal((await control(cloud, 'POST', '/reset')).status, 204)
  assert.deepEqual(await client.servers(), [])
})

test('what makes no sense is a 400 that says why', async () => {
  await using cloud = await startCloud()
  for (const [path, body, why] of [
    ['/clock/advance', { seconds: -1 }, /seconds/],
    ['/clock/advance', { seconds: 1, minutes: 1 }, /minutes/],
    ['/clock/run', { speed: 0 }, /speed/],
    ['/faults', { fault: { kind: 'flood' } }, /kind/],
    ['/faults', { fault: { kind: 'stuck' } }, /which work/],
    [
      '/faults',
      { fault: { kind: 'drop', operation: 'compute.servers.creat' } },
      /Did you mean "compute.servers.create"/,
    ],
  ] as const) {
    const answer = await control<{ error: { code: number; message: string } }>(cloud, 'POST', path, body)
    assert.equal(answer.status, 400)
    assert.match(answer.body.error.message, why)
  }
})

test('no body of a wrong shape is ever a 500', async () => {
  await using cloud = await startCloud()
  for (const one of controlOperations) {
    for (const body of [undefined, {}, [], 'text', 7, null, true, { a: { b: [] } }, { fault: [] }, { seconds: '1' }]) {
      const { status } = await control(cloud, one.method, urlOf(one), one.method === 'GET' ? undefined : body)
      assert.ok(status < 500, `${one.id} with ${JSON.stringify(body)}: ${status}`)
    }
  }
})

test('their schemas are schemas, and their ids are their own', () => {
  const ajv = new Ajv({ strict: false })
  const ids = controlOperations.map(one => one.id)
  assert.equal(new Set(ids).size, ids.length)
  for (const { id, query, request, response } of controlOperations) {
    assert.match(id, /^simulated\.[a-z]+\.[a-z-]+$/)
    for (const schema of [query, request, response]) if (schema) assert.ok(ajv.validateSchema(schema), id)
  }
})

test('a page in a browser may not use them', async () => {
  await using cloud = await startCloud()
  const headers = { origin: 'http://elsewhere.test' }
  assert.equal((await fetch(`${cloud.url}/_nephos/reset`, { method: 'POST', headers })).status, 403)
  assert.equal((await fetch(`${cloud.url}/_nephos/clock`, { headers })).status, 403)
})
