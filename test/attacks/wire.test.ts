/** Requests that no honest client sends: too long, too deep, of the wrong kind, with a forged host; each gets the right 4xx in its service's words. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { services } from '../../src/services.ts'
import { type TestCloud, testCloud } from '../harness.ts'
import { extended, headersAt, surface, takesBody, urlOf } from './surface.ts'

const small = ['cloud.max_body_bytes=20000']
const withBody = surface.filter(one => takesBody(one) && one.operation.policy !== 'public')

/** Sends bytes as they are and returns the answer's first lines; empty when the connection is closed without one. */
function raw(base: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('data', data => {
      text += data
      if (text.includes('\r\n\r\n')) socket.destroy()
    })
    socket.on('close', () => resolve(text))
    socket.on('error', error =>
      (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? resolve(text) : reject(error),
    )
  })
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)

/** What each operation that reads JSON says to a body. */
async function each(
  cloud: TestCloud,
  token: string,
  body: string,
  type: string,
  check: (status: number, about: string) => void,
) {
  for (const one of withBody) {
    const { status, body: answer } = await cloud.request(one.operation.method, urlOf(one), {
      token,
      body,
      headers: { ...headersAt(one), 'content-type': type },
    })
    check(status, `${one.operation.id}: ${status} ${JSON.stringify(answer).slice(0, 300)}`)
  }
}

test('a body that is too long is a 413', async () => {
  await using cloud = await testCloud({ set: [...small, ...extended] })
  const token = await cloud.login('admin')
  const body = JSON.stringify({ long: 'x'.repeat(20_000) })
  await each(cloud, token, body, 'application/json', (status, about) => assert.equal(status, 413, about))
})

test('a body that is no JSON is a 400, one of another kind a 415 or 400', async () => {
  await using cloud = await testCloud({ set: [...small, ...extended] })
  const token = await cloud.login('admin')
  for (const broken of ['{', '{"a":}', 'nonsense', '{"a":"\u0001"}', '[1,]', '{} {}', '\ufeff{}'])
    await each(cloud, token, broken, 'application/json', (status, about) => assert.equal(status, 400, about))
  for (const type of [
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ])
    await each(cloud, token, 'a=b', type, (status, about) => assert.ok([400, 403, 404, 415].includes(status), about))
})

test('a body that is too deep is refused like any other that does not fit', async () => {
  await using cloud = await testCloud({ set: extended })
  const token = await cloud.login('admin')
  for (const depth of [500, 9_000, 400_000]) {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = open.repeat(depth) + (open === '[' ? '' : '1') + close.repeat(depth)
      for (const one of withBody) {
        const words = one.operation.path.split('/').filter(part => /^[\w-]+$/.test(part))
        const member = (words.at(-1) ?? 'value').replace(/s$/, '').replaceAll('-', '_')
        const { status } = await cloud.request(one.operation.method, urlOf(one), {
          token,
          body: `{"${one.operation.action ?? member}":${deep}}`,
          headers: { ...headersAt(one), 'content-type': 'application/json' },
        })
        assert.ok(status >= 400 && status < 500, `${one.operation.id}: ${status}`)
        if (depth > 10_000) break
      }
    }
  }
})

test('nothing of a JSON body reaches the prototypes of objects', async () => {
  await using cloud = await testCloud({ set: extended })
  const token = await cloud.login('admin')
  const bad = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
  await each(cloud, token, bad, 'application/json', (status, about) => assert.ok(status < 500, about))
  assert.equal(({} as { polluted?: number }).polluted, undefined)
})

test('a service answers in its own words, also to what has no route', async () => {
  await using cloud = await testCloud({ set: extended })
  const answers: Record<string, unknown> = {}
  for (const { path, type } of services) {
    for (const url of [`${path}/v9/nothing`, `${path}/%2e%2e/%2e%2e/etc/passwd`, `${path}//evil.example/%2f..`]) {
      const { status, body, headers } = await cloud.request('GET', url)
      assert.ok([401, 404].includes(status), `${url}: ${status}`)
      assert.equal(headers.location, undefined)
      answers[type] = body
    }
  }
  assert.ok('error' in (answers.identity as object))
  assert.ok('NeutronError' in (answers.network as object))
  assert.ok('errors' in (answers.placement as object))
})

test('what the wire alone can carry: long headers, two lengths, odd methods, forged hosts', async () => {
  await using cloud = await testCloud({ set: ['cloud.public_url='] })
  const base = await cloud.listen('127.0.0.1', 0)
  const token = await cloud.login('admin')
  const get = (path: string, ...headers: string[]) =>
    raw(base, [`GET ${path} HTTP/1.1`, 'Host: cloud.test', 'Connection: close', ...headers, '', ''].join('\r\n'))

  assert.equal(statusOf(await get('/identity/v3', `X-Long: ${'x'.repeat(100_000)}`)), 431)
  assert.equal(statusOf(await get(`/identity/${'x'.repeat(100_000)}`)), 431)
  assert.equal(statusOf(await get('/identity/v3/users', `X-Auth-Token: ${'x'.repeat(8000)}`)), 401)
  assert.equal(statusOf(await get('/identity/v3/users', `X-Auth-Token: ${token}`, `X-Auth-Token: ${token}`)), 401)
  assert.equal(statusOf(await get('/identity/v3/users', `X-Auth-Token: ${token}`)), 200)
  assert.equal(statusOf(await get('/identity/v3', 'Content-Length: 3', 'Transfer-Encoding: chunked')), 400)
  assert.equal(statusOf(await get('/identity/v3', 'Content-Length: -1')), 400)

  const nul = await raw(base, 'GET /identity/v3\0 HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.equal(statusOf(nul), 400)
  for (const method of ['TRACE', 'PROPFIND', 'OPTIONS', 'PURGE']) {
    const answer = await raw(base, `${method} /identity/v3/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.ok([400, 401, 404, 405].includes(statusOf(answer)), `${method}: ${answer.slice(0, 60)}`)
  }
  for (const host of ['evil.example/path?', 'evil.example"><script>', 'a b', 'user@evil.example', '']) {
    const answer = await raw(base, `GET /identity/v3 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.ok(!/script|evil/.test(answer), answer)
  }
  const traced = await get('/identity/v3', 'X-Openstack-Request-Id: req-not-an-id<script>')
  assert.ok(!traced.includes('script'))
  assert.match(traced, /x-openstack-request-id: req-[0-9a-f-]{36}\r\n/i)
})
