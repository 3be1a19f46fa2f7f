/** Servers that are no good: none holds a login for longer than it may. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { ldapOptions } from '../ldap-options.ts'
import { ldapDirectory } from './ldap.ts'

/** Asks a server that does `greet` with each connection. */
async function askOf(greet: (socket: Socket) => void, more: object = {}): Promise<unknown> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    greet(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`
  const options = ldapOptions({ url, user: 'cn=admin', password: 'x', ...more })
  await using directory = await ldapDirectory(options, { timeoutMs: 200, most: 10, clock: systemClock() })
  try {
    return await directory.users()
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

const away = { name: 'Unavailable', message: /Unable to establish a connection to LDAP Server/ }

test('one that says nothing, hangs up, or says what is no LDAP', async () => {
  await assert.rejects(
    askOf(() => {}),
    away,
  )
  await assert.rejects(
    askOf(() => {}, { use_tls: true }),
    away,
  )
  await assert.rejects(
    askOf(socket => socket.destroy()),
    away,
  )
  await assert.rejects(
    askOf(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    away,
  )
})

test('one that promises TLS and then says nothing', async () => {
  // The answer "success" to the first request, which asks for TLS.
  const yes = Buffer.from([0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00])
  await assert.rejects(
    askOf(socket => socket.once('data', () => socket.write(yes)), { use_tls: true }),
    away,
  )
})
