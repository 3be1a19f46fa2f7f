/** Factors that configuration adds: codes by a gateway, and by a module of the operator's own. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

interface Answer {
  token?: { methods: string[] }
  receipt?: { methods: string[] }
  required_auth_methods?: string[][]
}

const named = { name: 'jane', domain: { id: 'default' } }
const password = { password: { user: { ...named, password: 'jane' } } }
const by = (method: string, passcode?: string) => ({ [method]: { user: { ...named, ...(passcode && { passcode }) } } })

function logIn(cloud: TestCloud, methods: string[], shown: object, receipt?: string) {
  const headers: Record<string, string> = receipt ? { 'openstack-auth-receipt': receipt } : {}
  const body = { auth: { identity: { methods, ...shown } } }
  return cloud.request<Answer>('POST', '/identity/v3/auth/tokens', { body, headers })
}

/** Jane must show a password and something of the method, by which she is known as `address`. */
async function jane(cloud: TestCloud, method: string, address: string) {
  const { user_id, token } = await cloud.project('jane')
  const credential = { type: method, user_id, blob: address }
  assert.equal((await cloud.request('POST', '/identity/v3/credentials', { token, body: { credential } })).status, 201)
  const body = { user: { options: { multi_factor_auth_rules: [['password', method]] } } }
  const admin = await cloud.login('admin')
  assert.equal((await cloud.request('PATCH', `/identity/v3/users/${user_id}`, { token: admin, body })).status, 200)
}

/** A gateway for messages, and what it was given. */
async function gateway() {
  const sent: { to: string; text: string; authorization: string | undefined }[] = []
  const server = createServer(async (request, response) => {
    const parts = await request.toArray()
    sent.push({ ...JSON.parse(Buffer.concat(parts).toString()), authorization: request.headers.authorization })
    response.writeHead(202).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const code = () => /^(\d{6}) is/.exec(sent.at(-1)!.text)![1]!
  return { url: `http://127.0.0.1:${port}/send`, sent, code, [Symbol.asyncDispose]: async () => void server.close() }
}

const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

onEachEngine('a code comes by SMS after the password, and is good once (S-283)', async database => {
  await using sms = await gateway()
  const factors = { sms: { type: 'message', url: sms.url, authorization: 'Bearer gateway-key' } }
  const clock = virtualClock()
  await using cloud = await testCloud({ database, clock, set: [`identity.factors=${JSON.stringify(factors)}`] })
  await jane(cloud, 'sms', '+49 30 1234567')
  const first = await logIn(cloud, ['password', 'sms'], { ...password, ...by('sms') })
  assert.equal(first.status, 401)
  assert.deepEqual(first.body.receipt?.methods, ['password'])
  assert.deepEqual(first.body.required_auth_methods, [['password', 'sms']])
  assert.equal(sms.sent.length, 1)
  assert.equal(sms.sent[0]!.to, '+49 30 1234567')
  assert.equal(sms.sent[0]!.authorization, 'Bearer gateway-key')
  const receipt = first.headers['openstack-auth-receipt']!
  const code = sms.code()
  assert.equal((await logIn(cloud, ['sms'], by('sms', wrong(code)), receipt)).status, 401)
  const second = await logIn(cloud, ['sms'], by('sms', code), receipt)
  assert.equal(second.status, 201, JSON.stringify(second.body))
  assert.deepEqual(second.body.token?.methods.sort(), ['password', 'sms'])
  const token = second.headers['x-subject-token']!
  assert.deepEqual((await cloud.env.authenticate(token))?.methods?.slice().sort(), ['password', 'sms'])
  assert.ok(token.length < 255)
  assert.equal((await logIn(cloud, ['sms'], by('sms', code), receipt)).status, 401, 'again')
})

test('nobody’s telephone rings for those who do not know the password, nor too often', async () => {
  await using sms = await gateway()
  const clock = virtualClock()
  const factors = { sms: { type: 'message', url: sms.url, text: '%(code)s is it', code_seconds: 60, attempts: 2 } }
  await using cloud = await testCloud({ clock, set: [`identity.factors=${JSON.stringify(factors)}`] })
  await jane(cloud, 'sms', '1')
  assert.equal((await logIn(cloud, ['sms'], by('sms'))).status, 401)
  const bad = { password: { user: { ...named, password: 'guess' } }, ...by('sms') }
  assert.equal((await logIn(cloud, ['password', 'sms'], bad)).status, 401)
  assert.deepEqual(sms.sent, [])
  const begin = () => logIn(cloud, ['password', 'sms'], { ...password, ...by('sms') })
  const receipt = (await begin()).headers['openstack-auth-receipt']!
  await begin()
  assert.equal(sms.sent.length, 1)
  const code = sms.code()
  for (const _ of [1, 2]) assert.equal((await logIn(cloud, ['sms'], by('sms', wrong(code)), receipt)).status, 401)
  assert.equal((await logIn(cloud, ['sms'], by('sms', code), receipt)).status, 401, 'after too many tries')
  await clock.advance(31_000)
  await begin()
  assert.equal(sms.sent.length, 2)
  await clock.advance(61_000)
  assert.equal((await logIn(cloud, ['sms'], by('sms', sms.code()), receipt)).status, 401, 'too late')
})

test('a gateway that does not take the code is a 503', async () => {
  const factors = { phone: { type: 'message', url: 'http://127.0.0.1:9/' } }
  await using cloud = await testCloud({ set: [`identity.factors=${JSON.stringify(factors)}`] })
  await jane(cloud, 'phone', '1')
  assert.equal((await logIn(cloud, ['password', 'phone'], { ...password, ...by('phone') })).status, 503)
})

test('a module of one’s own is a factor by the file alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-factor-'))
  try {
    const file = join(folder, 'riddle.mjs')
    writeFileSync(
      file,
      "export const factor = ({ answer }) => ({ isRight: async (user, code) => code === user.addresses[0] + ' ' + answer })",
    )
    const factors = { riddle: { type: 'module', file, settings: { answer: '42' } } }
    await using cloud = await testCloud({ set: [`identity.factors=${JSON.stringify(factors)}`] })
    await jane(cloud, 'riddle', 'jane says')
    const both = ['password', 'riddle']
    assert.equal((await logIn(cloud, both, { ...password, ...by('riddle', 'jane says 41') })).status, 401)
    assert.equal((await logIn(cloud, both, password)).status, 400)
    const { status, body } = await logIn(cloud, both, { ...password, ...by('riddle', 'jane says 42') })
    assert.equal(status, 201)
    assert.deepEqual(body.token?.methods.sort(), both)
    assert.equal((await logIn(cloud, ['sms'], by('sms', '1'))).status, 401, 'a method that nobody has added')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
