/** Consoles: who gets an address, and what it opens for whom. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { type VirtualClock, virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ServerCloud, serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld } from '../servers/fixtures/world.ts'
import { validToken } from './store.ts'

interface Console {
  protocol?: string
  type: string
  url: string
}

const kinds = { novnc: 'vnc', serial: 'serial' }

async function consoleCloud(clock?: VirtualClock) {
  const cloud = await serverCloud(clock ? { world: await newWorld(clock) } : {})
  await cloud.listen('127.0.0.1', 0)
  return cloud
}

const ask = (cloud: ServerCloud, who: { token: string }, id: string, type: 'novnc' | 'serial') =>
  cloud.api<{ remote_console: Console }>(who, 'POST', `/servers/${id}/remote-consoles`, {
    remote_console: { protocol: kinds[type], type },
  })

async function consoleUrl(...asked: Parameters<typeof ask>): Promise<string> {
  const { status, body } = await ask(...asked)
  assert.equal(status, 200, JSON.stringify(body))
  return body.remote_console.url
}

const port = (cloud: ServerCloud) => (cloud.http.server.address() as AddressInfo).port

/** The token in either kind of address. */
const tokenIn = (url: string) => /token(?:=|%3D)([0-9a-f-]{36})$/.exec(url)![1]!

function viewer(cloud: ServerCloud, token: string, headers: Record<string, string> = {}): WebSocket {
  const url = `ws://127.0.0.1:${port(cloud)}/console/websocket?token=${token}`
  return new WebSocket(url, ['binary'], { headers })
}

/** The status with which a viewer is refused, or 101. */
async function knock(cloud: ServerCloud, token: string, headers?: Record<string, string>): Promise<number> {
  const socket = viewer(cloud, token, headers)
  return new Promise((resolve, reject) => {
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode!)
    })
    socket.once('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.once('error', reject)
  })
}

async function nextText(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, 'message')) as [Buffer]
  return data.toString()
}

test('a member opens the screen of a server in a browser', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const url = await consoleUrl(cloud, demo, server.id, 'novnc')
  assert.match(url, /^http:\/\/cloud\.test\/console\/vnc\.html\?path=console%2Fwebsocket%3Ftoken%3D[0-9a-f-]{36}$/)
  const page = await cloud.request<string>('GET', url.replace('http://cloud.test', ''))
  assert.equal(page.status, 200)
  assert.match(page.body, /<script type="module" src="vnc.js">/)

  const socket = viewer(cloud, tokenIn(url), { origin: 'http://cloud.test' })
  assert.equal(await nextText(socket), 'RFB 003.008\n')
  const answer = async (bytes: string) => {
    socket.send(Buffer.from(bytes))
    return [...(((await once(socket, 'message')) as [Buffer])[0] as Buffer)]
  }
  assert.deepEqual(await answer('RFB 003.008\n'), [1, 1])
  assert.deepEqual(await answer('\x01'), [0, 0, 0, 0])
  assert.deepEqual((await answer('\x01')).slice(0, 4), [0x02, 0x80, 0x01, 0xe0])
  socket.close()
  await once(socket, 'close')
})

test('the serial console shows what was printed and takes what is typed', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const url = await consoleUrl(cloud, demo, server.id, 'serial')
  assert.match(url, /^ws:\/\/cloud\.test\/console\/websocket\?token=[0-9a-f-]{36}$/)
  const socket = viewer(cloud, tokenIn(url))
  assert.match(await nextText(socket), /login: $/)
  socket.send('root\r')
  assert.equal(await nextText(socket), 'root\r', 'the fake guest echoes')
  socket.send(Buffer.from([0xff, 0x00]))
  const [data] = (await once(socket, 'message')) as [Buffer]
  assert.deepEqual([...data], [0xff, 0x00])
  socket.terminate()
})

test('a serial line has one viewer: the newest', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const first = viewer(cloud, tokenIn(await consoleUrl(cloud, demo, server.id, 'serial')))
  await once(first, 'open')
  const closed = once(first, 'close')
  const second = viewer(cloud, tokenIn(await consoleUrl(cloud, demo, server.id, 'serial')))
  await once(second, 'open')
  assert.equal((await closed)[0], 4001)
  assert.equal(second.readyState, WebSocket.OPEN)
  second.terminate()
})

test('until 2.5 each kind of console had an action', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const { id } = await cloud.boot(demo)
  const act = (version: string, action: string, type: string) =>
    cloud.api<{ console: Console }>(demo, 'POST', `/servers/${id}/action`, { [action]: { type } }, version)
  const vnc = await act('2.1', 'os-getVNCConsole', 'novnc')
  assert.equal(vnc.body.console.type, 'novnc')
  assert.equal(await knock(cloud, tokenIn(vnc.body.console.url)), 101)
  const serial = await act('2.5', 'os-getSerialConsole', 'serial')
  assert.match(serial.body.console.url, /^ws:/)
  assert.equal((await act('2.1', 'os-getSPICEConsole', 'spice-html5')).status, 400)
  assert.equal((await act('2.1', 'os-getVNCConsole', 'serial')).status, 400)
  assert.equal((await act('2.6', 'os-getVNCConsole', 'novnc')).status, 400)
  const body = { remote_console: { protocol: 'vnc', type: 'novnc' } }
  assert.equal((await cloud.api(demo, 'POST', `/servers/${id}/remote-consoles`, body, '2.5')).status, 404)
})

test('what cannot be opened is refused in the words that clients know', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const other = await cloud.project('p2')
  const server = await cloud.boot(demo)
  const tried = async (who: { token: string }, id: string, protocol: string, type: string, version?: string) => {
    const remote_console = { protocol, type }
    const path = `/servers/${id}/remote-consoles`
    const { status, body } = await cloud.api<Record<string, { message: string }>>(
      ...([who, 'POST', path, { remote_console }, version] as const),
    )
    return [status, Object.values(body)[0]?.message]
  }
  assert.deepEqual(await tried(demo, server.id, 'spice', 'spice-html5'), [400, 'Unavailable console type spice-html5.'])
  assert.deepEqual(await tried(demo, server.id, 'vnc', 'serial'), [400, 'Invalid console type serial'])
  assert.equal((await tried(demo, server.id, 'mks', 'webmks', '2.7'))[0], 400)
  assert.equal((await tried(demo, server.id, 'mks', 'webmks', '2.8'))[1], 'Unavailable console type webmks.')
  assert.equal((await tried(demo, server.id, 'spice', 'spice-direct'))[1], 'Unavailable console type spice-direct.')
  assert.match(String((await tried(demo, server.id, 'spice', 'spice-direct', '2.98'))[1]), /is not one of/)
  assert.deepEqual(await tried(other, server.id, 'vnc', 'novnc'), [404, `Instance ${server.id} could not be found.`])
  await cloud.api(demo, 'POST', `/servers/${server.id}/action`, { 'os-stop': null })
  await cloud.env.sagas.idle()
  assert.deepEqual(await tried(demo, server.id, 'vnc', 'novnc'), [409, `Instance ${server.id} is not ready`])
})

onEachEngine('a token opens one server, until it expires, the server moves or is gone', async database => {
  const clock = virtualClock()
  await using cloud = await serverCloud({ world: await newWorld(clock, database), hosts: ['h1', 'h2'] })
  await cloud.listen('127.0.0.1', 0)
  const demo = await cloud.project('p1')
  const [one, two] = [await cloud.boot(demo), await cloud.boot(demo)]
  const token = tokenIn(await consoleUrl(cloud, demo, one.id, 'novnc'))
  assert.equal(await validToken(cloud.ctx(), token), undefined, 'only the digest is kept')
  assert.equal(await knock(cloud, token), 101)
  assert.equal(await knock(cloud, token), 101, 'a page may be loaded again')
  assert.equal(await knock(cloud, `bad${token}`), 403)
  assert.equal(await knock(cloud, ''), 403)

  await clock.advance(599_000)
  assert.equal(await knock(cloud, token), 101)
  await clock.advance(1_000)
  assert.equal(await knock(cloud, token), 403)

  const again = tokenIn(await consoleUrl(cloud, demo, one.id, 'novnc'))
  const kept = tokenIn(await consoleUrl(cloud, demo, two.id, 'novnc'))
  await cloud.remove(demo, one.id)
  assert.equal(await knock(cloud, again), 403)
  assert.equal(await knock(cloud, kept), 101, 'the other server is still there')
})

test('a guest that has stopped since has no console', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const token = tokenIn(await consoleUrl(cloud, demo, server.id, 'novnc'))
  await cloud.api(demo, 'POST', `/servers/${server.id}/action`, { 'os-stop': null })
  await cloud.env.sagas.idle()
  assert.equal(await knock(cloud, token), 503)
})

test('pages of other sites cannot use a token, whatever they claim', async () => {
  await using cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const token = tokenIn(await consoleUrl(cloud, demo, server.id, 'novnc'))
  assert.equal(await knock(cloud, token, { origin: 'http://evil.test' }), 403)
  assert.equal(await knock(cloud, token, { origin: 'null' }), 403)
  assert.equal(await knock(cloud, token, { origin: 'http://cloud.test.evil.test' }), 403)
  const spoofed = { 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'http', host: 'evil.test' }
  assert.equal(await knock(cloud, token, { origin: 'http://evil.test', ...spoofed }), 403)
  assert.equal(await knock(cloud, token, { origin: 'http://cloud.test' }), 101)
})

test('an open console ends with its server, and with a viewer that is gone', async () => {
  const clock = virtualClock()
  await using cloud = await consoleCloud(clock)
  const demo = await cloud.project('p1')
  const [one, two] = [await cloud.boot(demo), await cloud.boot(demo)]
  const watching = viewer(cloud, tokenIn(await consoleUrl(cloud, demo, one.id, 'novnc')))
  const silent = viewer(cloud, tokenIn(await consoleUrl(cloud, demo, two.id, 'novnc')))
  await Promise.all([once(watching, 'message'), once(silent, 'message')])
  const pinged = once(watching, 'ping')
  const [ended, dropped] = [once(watching, 'close'), once(silent, 'close')]
  silent.pause()
  await cloud.remove(demo, one.id)
  await clock.advance(30_000)
  await pinged
  assert.equal((await ended)[0], 1001)
  await clock.advance(30_000)
  silent.resume()
  assert.equal((await dropped)[0], 1006)
})

test('a cloud that stops does not wait for its viewers', async () => {
  const cloud = await consoleCloud()
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  const socket = viewer(cloud, tokenIn(await consoleUrl(cloud, demo, server.id, 'novnc')))
  await once(socket, 'message')
  const closed = once(socket, 'close')
  await cloud[Symbol.asyncDispose]()
  await closed
})

test('proxies of others learn what a token opens; only admins may ask', async () => {
  await using cloud = await consoleCloud()
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const server = await cloud.boot(demo)
  const token = tokenIn(await consoleUrl(cloud, demo, server.id, 'novnc'))
  const show = (who: { token: string }, id: string, version = '2.31') =>
    cloud.api<{ console: Record<string, unknown> }>(who, 'GET', `/os-console-auth-tokens/${id}`, undefined, version)
  const { console } = (await show(admin, token)).body
  assert.equal(console.instance_uuid, server.id)
  assert.equal(console.host, '127.0.0.1')
  assert.equal(typeof console.port, 'number')
  assert.equal((await show(demo, token)).status, 403)
  assert.equal((await show(admin, 'no-such-token')).status, 404)
  assert.equal((await show(admin, token, '2.30')).status, 400)
})

test('pages are strict, and nothing outside their folders can be had', async () => {
  await using cloud = await consoleCloud()
  const fetched = (path: string) => cloud.request<string>('GET', path)
  const page = await fetched('/console/serial.html?token=x')
  assert.match(page.headers['content-security-policy']!, /^default-src 'none'; script-src 'self';/)
  assert.deepEqual(
    [page.headers['referrer-policy'], page.headers['cache-control'], page.headers['x-content-type-options']],
    ['no-referrer', 'no-store', 'nosniff'],
  )
  for (const path of ['novnc/core/rfb.js', 'novnc/vendor/pako/lib/zlib/inflate.js', 'xterm/lib/xterm.mjs', 'vnc.js']) {
    const { status, headers } = await fetched(`/console/${path}`)
    assert.deepEqual([status, headers['content-type']], [200, 'text/javascript; charset=utf-8'], path)
  }
  const outside = [
    ...['../console.ts', '..%2fconsole.ts', '%2e%2e/console.ts', '....//console.ts', '/etc/passwd', ''],
    ...[
      'novnc/../../../package.json',
      'novnc/..%2f..%2fws%2findex.js',
      'novnc/package.json',
      'vnc.html%00.js',
      '__proto__',
    ],
  ]
  for (const path of outside) assert.equal((await fetched(`/console/${path}`)).status, 404, path)
})

test('an upgrade of anything else is an ordinary request', async () => {
  await using cloud = await consoleCloud()
  const at = `http://127.0.0.1:${port(cloud)}`
  const statusOf = async (path: string, upgrade: string) => {
    const request = get(`${at}${path}`, { headers: { connection: 'Upgrade', upgrade } })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }
  assert.equal(await statusOf('/compute/v2.1/servers', 'websocket'), 401)
  assert.equal(await statusOf('/console/websocket/more', 'websocket'), 404)
  assert.equal(await statusOf('/__proto__', 'websocket'), 404)
  // Java's client offers HTTP/2 with every first request.
  assert.equal(await statusOf('/healthcheck', 'h2c'), 200)
  assert.equal(await statusOf('/console/vnc.html', 'h2c'), 200)
})
