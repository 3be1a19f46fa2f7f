/** The QMP client against a server that behaves, and one that does not. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { systemClock, virtualClock } from '#kernel/clock.ts'
import { connectQmp, QmpError, type QmpEvent } from './qmp.ts'

interface Command {
  execute: string
  arguments: Record<string, unknown>
  id: string
}

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n'
let dir: string
let path: string
let server: Server
let sockets: Socket[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nephos-qmp-'))
  path = join(dir, 'qmp')
  sockets = []
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
  rmSync(dir, { recursive: true })
})

/** A monitor that greets and gives each command to `answer`. */
async function monitor(answer: (command: Command, socket: Socket) => void, hello = greeting) {
  server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(hello)
    socket.on('data', data => {
      for (const line of data.toString().trim().split('\n')) answer(JSON.parse(line) as Command, socket)
    })
  }).listen(path)
  await once(server, 'listening')
}

const reply = (socket: Socket, id: string, result: unknown) =>
  socket.write(`${JSON.stringify({ return: result, id })}\r\n`)

test('commands get their own answers, whatever their order and however they are cut', async () => {
  const held: Command[] = []
  await monitor((command, socket) => {
    if (command.execute === 'qmp_capabilities') return reply(socket, command.id, {})
    held.push(command)
    if (held.length < 2) return
    const lines = held
      .map(({ id, arguments: { n } }) => `${JSON.stringify({ id, return: { n } })}\r\n`)
      .reverse()
      .join('')
    socket.write(lines.slice(0, 7))
    setImmediate(() => socket.write(lines.slice(7)))
  })
  const qmp = await connectQmp(path, systemClock())
  assert.deepEqual(await Promise.all([qmp.execute('a', { n: 1 }), qmp.execute('b', { n: 2 })]), [{ n: 1 }, { n: 2 }])
  qmp.close()
  await qmp.closed
})

test('an error of QEMU is an error with its class', async () => {
  await monitor(({ execute, id }, socket) => {
    if (execute === 'qmp_capabilities') return reply(socket, id, {})
    socket.write(`${JSON.stringify({ id, error: { class: 'DeviceNotFound', desc: "Device 'x' not found" } })}\n`)
  })
  const qmp = await connectQmp(path, systemClock())
  await assert.rejects(qmp.execute('device_del'), new QmpError('DeviceNotFound', "Device 'x' not found"))
})

test('events reach the listener, those before the first command too', async () => {
  const events: QmpEvent[] = []
  await monitor(({ id }, socket) => {
    socket.write('{"event": "RESUME", "timestamp": {}}\n')
    reply(socket, id, {})
    socket.write('{"event": "SHUTDOWN", "data": {"guest": true}}\n')
  })
  const qmp = await connectQmp(path, systemClock(), { onEvent: event => events.push(event) })
  await qmp.execute('query-status')
  assert.deepEqual(events.slice(0, 2), [
    { event: 'RESUME', data: {} },
    { event: 'SHUTDOWN', data: { guest: true } },
  ])
})

test('a command that is never answered times out, and the next one works', async () => {
  const clock = virtualClock()
  await monitor(({ execute, id }, socket) => {
    if (execute !== 'hang') reply(socket, id, execute)
  })
  const qmp = await connectQmp(path, clock)
  const hanging = qmp.execute('hang', {}, 3000)
  hanging.catch(() => {})
  await clock.advance(3000)
  await assert.rejects(hanging, new QmpError('Timeout', 'QEMU did not answer hang in 3 s.'))
  assert.equal(await qmp.execute('next'), 'next')
})

test('a lost connection rejects what waits, at once, and what comes later', async () => {
  await monitor(({ execute, id }, socket) => {
    if (execute === 'quit') socket.destroy()
    else reply(socket, id, {})
  })
  const qmp = await connectQmp(path, systemClock())
  await assert.rejects(qmp.execute('quit'), { kind: 'Closed' })
  await qmp.closed
  await assert.rejects(qmp.execute('query-status'), { kind: 'Closed' })
})

test('a line without end, and a line that is no JSON, end the connection', async () => {
  await monitor(({ execute, id }, socket) => {
    if (execute === 'long') socket.write('x'.repeat(9 * 1024 * 1024))
    else if (execute === 'junk') socket.write('{"return": \n')
    else reply(socket, id, {})
  })
  for (const command of ['long', 'junk']) {
    const qmp = await connectQmp(path, systemClock())
    await assert.rejects(qmp.execute(command), { kind: 'Protocol' })
    await qmp.closed
  }
})

test('nobody there is an error that tells so', async () => {
  await monitor(() => {})
  await assert.rejects(connectQmp(join(dir, 'none'), systemClock()), { code: 'ENOENT' })
})
