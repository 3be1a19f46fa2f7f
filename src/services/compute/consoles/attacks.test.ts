/** Consoles under attack, and when parts of the cloud go away. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { type ServerCloud, serverCloud } from '../servers/fixtures/server-cloud.ts'
import { newWorld, type World } from '../servers/fixtures/world.ts'

/** A guest's console that the test holds in its hands. */
async function consoleServer() {
  const open = new Set<Socket>()
  const server: Server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    server,
    open,
    endpoint: { type: 'tcp', host: '127.0.0.1', port } as const,
    /** Waits until nobody is connected. */
    async idle() {
      while (open.size > 0) await once([...open][0]!, 'close')
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}

async function guestWithConsole(guest: Awaited<ReturnType<typeof consoleServer>>, world?: World) {
  const cloud = await serverCloud(world && { world })
  await cloud.listen('127.0.0.1', 0)
  cloud.drivers.h1!.console = async () => guest.endpoint
  const demo = await cloud.project('p1')
  const server = await cloud.boot(demo)
  return { cloud, demo, server, token: await tokenOf(cloud, demo, server.id) }
}

async function tokenOf(cloud: ServerCloud, who: { token: string }, id: string): Promise<string> {
  const remote_console = { protocol: 'vnc', type: 'novnc' }
  const made = await cloud.api<{ remote_console: { url: string } }>(
    ...([who, 'POST', `/servers/${id}/remote-consoles`, { remote_console }] as const),
  )
  return made.body.remote_console.url.slice(-36)
}

const portOf = (cloud: ServerCloud) => (cloud.http.server.address() as AddressInfo).port
const viewer = (cloud: ServerCloud, token: string) =>
  new WebSocket(`ws://127.0.0.1:${portOf(cloud)}/console/websocket?token=${token}`)

/** Sends bytes as they are and returns the first line of the answer. */
async function raw(cloud: ServerCloud, text: string): Promise<string> {
  const socket = connect(portOf(cloud), '127.0.0.1')
  socket.write(text)
  const [data] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return data.toString().split('\r\n')[0]!
}

const handshake = (token: string, extra: string[]) =>
  [
    `GET /console/websocket?token=${token} HTTP/1.1`,
    'Host: cloud.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    ...extra,
    '\r\n',
  ].join('\r\n')

test('handshakes that are none are refused and leave nothing at the guest', async () => {
  await using guest = await consoleServer()
  const { cloud, token } = await guestWithConsole(guest)
  await using _ = cloud
  const key = 'Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=='
  assert.match(await raw(cloud, handshake(token, [])), / 400 /)
  assert.match(await raw(cloud, handshake(token, ['Sec-WebSocket-Key: short', 'Sec-WebSocket-Version: 13'])), / 400 /)
  assert.match(await raw(cloud, handshake(token, [key, 'Sec-WebSocket-Version: 99'])), / 400 /)
  assert.match(await raw(cloud, handshake('%zz', [key, 'Sec-WebSocket-Version: 13'])), / 403 /)
  await guest.idle()
  assert.match(await raw(cloud, handshake(token, [key, 'Sec-WebSocket-Version: 13'])), / 101 /)
  await guest.idle()
})

test('a message that is too large ends the viewer, not the cloud', async () => {
  await using guest = await consoleServer()
  const { cloud, token } = await guestWithConsole(guest)
  await using _ = cloud
  const socket = viewer(cloud, token)
  await once(socket, 'open')
  socket.send(Buffer.alloc(300 * 1024))
  assert.equal((await once(socket, 'close'))[0], 1009)
  await guest.idle()
  assert.equal((await cloud.request('GET', '/healthcheck')).status, 200)
})

test('a viewer that leaves while its host is asked leaves nothing at the guest', async () => {
  await using guest = await consoleServer()
  const { cloud, token } = await guestWithConsole(guest)
  await using _ = cloud
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  cloud.drivers.h1!.console = async () => {
    asked.resolve()
    await answer.promise
    return guest.endpoint
  }
  const socket = viewer(cloud, token)
  const left = new Promise<void>(done => socket.on('error', () => {}).once('close', () => done()))
  await asked.promise
  socket.terminate()
  await left
  const connected = once(guest.server, 'connection')
  answer.resolve()
  await connected
  await guest.idle()
})

test('a guest that prints without end waits for its viewer', async () => {
  await using guest = await consoleServer()
  const { cloud, token } = await guestWithConsole(guest)
  await using _ = cloud
  const [socket, [line]] = await Promise.all([
    viewer(cloud, token),
    once(guest.server, 'connection') as Promise<[Socket]>,
  ])
  await once(socket, 'open')
  socket.pause()
  const total = 64 * 1024 * 1024
  const chunk = Buffer.alloc(1024 * 1024)
  for (let sent = 0; sent < total; sent += chunk.length) line.write(chunk)
  for (let turn = 0; turn < 50; turn++) await cloud.request('GET', '/healthcheck')
  // What is in flight is in the kernel's buffers; the rest waits at the guest, for as long as the viewer does not read.
  assert.ok(line.writableLength > total / 2)
  let read = 0
  const whole = new Promise<void>(done =>
    socket.on('message', (data: Buffer) => {
      read += data.length
      if (read === total) done()
    }),
  )
  socket.resume()
  await whole
  socket.terminate()
})

test('the guest ends the connection: so does the viewer', async () => {
  await using guest = await consoleServer()
  const { cloud, token } = await guestWithConsole(guest)
  await using _ = cloud
  const [socket, [line]] = await Promise.all([
    viewer(cloud, token),
    once(guest.server, 'connection') as Promise<[Socket]>,
  ])
  await once(socket, 'open')
  const closed = once(socket, 'close')
  line.destroy()
  await closed
})

test('after a restart of the cloud an address still opens its guest, and after the end of its host none does', async () => {
  await using guest = await consoleServer()
  const world = await newWorld()
  const first = await guestWithConsole(guest, world)
  await first.cloud.kill()
  await first.cloud.http.close()
  await using cloud = await serverCloud({ world })
  await cloud.listen('127.0.0.1', 0)
  cloud.drivers.h1!.console = async () => guest.endpoint
  const socket = viewer(cloud, first.token)
  await once(socket, 'open')
  socket.terminate()

  await cloud.removeHost('h1')
  const refused = viewer(cloud, first.token)
  const [request, response] = await once(refused, 'unexpected-response')
  request.destroy()
  assert.equal(response.statusCode, 503)
})
