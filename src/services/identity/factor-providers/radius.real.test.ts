/** One-time codes that a RADIUS server knows, on a real FreeRADIUS; and answers of somebody who only says to be one. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

/** FreeRADIUS with a client `secret`, and users with the password that is their code. */
async function freeradius(users: Record<string, string>): Promise<AsyncDisposable & { port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-radius-'))
  const port = await freePort()
  // Servers of before 2024 sign their answers as a whole only when told to.
  const lines = Object.entries(users).map(
    ([name, code]) => `"${name}" Cleartext-Password := "${code}"\n\tMessage-Authenticator = 0x00`,
  )
  writeFileSync(join(folder, 'users'), `${lines.join('\n')}\n`)
  writeFileSync(
    join(folder, 'radiusd.conf'),
    [
      `raddbdir = ${folder}\nlogdir = ${folder}\nrun_dir = ${folder}\nlibdir = /usr/lib/freeradius`,
      'security { }',
      'client test { ipaddr = 127.0.0.1\n secret = radius-secret\n require_message_authenticator = yes\n}',
      `modules {\n pap { }\n files {\n usersfile = ${folder}/users\n }\n}`,
      'server default {',
      ` listen { type = auth\n ipaddr = 127.0.0.1\n port = ${port} }`,
      ' authorize {\n files\n pap\n }\n authenticate {\n Auth-Type PAP {\n pap\n }\n }\n}',
    ].join('\n'),
  )
  const child = spawn('freeradius', ['-f', '-X', '-d', folder, '-D', '/usr/share/freeradius'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', part => {
      said += part
      if (said.includes('Ready to process requests')) resolve()
    })
    child.once('exit', () => reject(new Error(`freeradius did not start:\n${said}`)))
  })
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.removeAllListeners('exit')
      child.kill()
      await once(child, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}

const named = { name: 'jane', domain: { id: 'default' } }

async function jane(cloud: TestCloud) {
  const { user_id, token } = await cloud.project('jane')
  const credential = { type: 'token_card', user_id, blob: 'jane@example.test' }
  assert.equal((await cloud.request('POST', '/identity/v3/credentials', { token, body: { credential } })).status, 201)
  return async (passcode: string) => {
    const identity = {
      methods: ['password', 'token_card'],
      password: { user: { ...named, password: 'jane' } },
      token_card: { user: { ...named, passcode } },
    }
    return (await cloud.request('POST', '/identity/v3/auth/tokens', { body: { auth: { identity } } })).status
  }
}

const factors = (port: number, secret = 'radius-secret') =>
  `identity.factors=${JSON.stringify({ token_card: { type: 'radius', server: `127.0.0.1:${port}`, secret, timeout_seconds: 1 } })}`

const long = 'a code that is longer than the sixteen bytes of a block, and than thirty-two'

test('codes of FreeRADIUS let in, others do not (S-283)', async () => {
  await using radius = await freeradius({ 'jane@example.test': '918273', other: 'x' })
  await using cloud = await testCloud({ set: [factors(radius.port)] })
  const logIn = await jane(cloud)
  assert.equal(await logIn('918273'), 201)
  for (const code of ['918274', '', 'x', '9'.repeat(200)]) assert.equal(await logIn(code), 401, code)
})

test('long codes come through; a cloud with another secret gets no answer', async () => {
  await using radius = await freeradius({ 'jane@example.test': long })
  {
    await using cloud = await testCloud({ set: [factors(radius.port)] })
    assert.equal(await (await jane(cloud))(long), 201)
  }
  await using stranger = await testCloud({ set: [factors(radius.port, 'another')] })
  assert.equal(await (await jane(stranger))(long), 503)
})

test('an acceptance without the secret is none', async () => {
  const liar = createSocket('udp4').bind(0, '127.0.0.1')
  await once(liar, 'listening')
  try {
    liar.on('message', (request, { port }) => {
      const plain = Buffer.concat([Buffer.from([2, request[1]!, 0, 20]), Buffer.alloc(16)])
      const signed = Buffer.concat([
        Buffer.from([2, request[1]!, 0, 38]),
        Buffer.alloc(16),
        Buffer.from([80, 18]),
        Buffer.alloc(16),
      ])
      const endless = Buffer.concat([Buffer.from([2, request[1]!, 0, 22]), Buffer.alloc(16), Buffer.from([80, 0])])
      for (const answer of [plain, signed, endless, Buffer.from([2])]) liar.send(answer, port, '127.0.0.1')
    })
    await using cloud = await testCloud({ set: [factors(liar.address().port)] })
    assert.equal(await (await jane(cloud))('918273'), 503)
  } finally {
    liar.close()
  }
})
