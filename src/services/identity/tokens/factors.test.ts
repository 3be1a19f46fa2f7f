/** Logging in with several factors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { base32, totpCode } from '../totp.ts'

const seed = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const named = { name: 'jane', domain: { id: 'default' } }

interface Answer {
  token?: { methods: string[] }
  receipt?: { methods: string[] }
  required_auth_methods?: string[][]
}

const code = (cloud: TestCloud) => totpCode(base32(seed)!, cloud.env.clock.now() / 1000)
const password = { methods: ['password'], password: { user: { ...named, password: 'jane' } } }
const totp = (passcode: string) => ({ methods: ['totp'], totp: { user: { ...named, passcode } } })

function logIn(cloud: TestCloud, identity: object, receipt?: string) {
  const headers: Record<string, string> = receipt ? { 'openstack-auth-receipt': receipt } : {}
  return cloud.request<Answer>('POST', '/identity/v3/auth/tokens', { body: { auth: { identity } }, headers })
}

/** Jane has an authenticator app, and these rules. */
async function jane(cloud: TestCloud, rules?: string[][]) {
  const { user_id, token } = await cloud.project('jane')
  const credential = { type: 'totp', user_id, blob: seed }
  const made = await cloud.request('POST', '/identity/v3/credentials', { token, body: { credential } })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const admin = await cloud.login('admin')
  const patch = (options: object) =>
    cloud.request('PATCH', `/identity/v3/users/${user_id}`, { token: admin, body: { user: { options } } })
  if (rules) assert.equal((await patch({ multi_factor_auth_rules: rules })).status, 200)
  return { user_id, patch, admin }
}

onEachEngine('a code of the app is a factor by itself', async database => {
  await using cloud = await testCloud({ database, clock: virtualClock() })
  await jane(cloud)
  const { status, body } = await logIn(cloud, totp(code(cloud)))
  assert.equal(status, 201)
  assert.deepEqual(body.token?.methods, ['totp'])
  assert.equal((await logIn(cloud, totp('000000'))).status, 401)
  assert.equal((await logIn(cloud, totp(`${code(cloud)}0`))).status, 401)
})

onEachEngine('with rules one factor gives a receipt, with which the other is enough', async database => {
  await using cloud = await testCloud({ database, clock: virtualClock() })
  await jane(cloud, [['password', 'totp']])
  const first = await logIn(cloud, password)
  assert.equal(first.status, 401)
  assert.deepEqual(first.body.receipt?.methods, ['password'])
  assert.deepEqual(first.body.required_auth_methods, [['password', 'totp']])
  const receipt = first.headers['openstack-auth-receipt']!
  const second = await logIn(cloud, totp(code(cloud)), receipt)
  assert.equal(second.status, 201, JSON.stringify(second.body))
  assert.deepEqual(second.body.token?.methods.sort(), ['password', 'totp'])
  const both = { ...password, ...totp(code(cloud)), methods: ['password', 'totp'] }
  assert.equal((await logIn(cloud, both)).status, 201)
  assert.equal((await logIn(cloud, { ...both, ...totp('000000'), methods: both.methods })).status, 401)
  const wrong = await logIn(cloud, totp('000000'), receipt)
  assert.equal(wrong.status, 401)
  assert.equal(wrong.headers['openstack-auth-receipt'], undefined)
})

test('a receipt is its user’s, for a while, and is no token', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const { patch } = await jane(cloud, [['password', 'totp']])
  const receipt = (await logIn(cloud, password)).headers['openstack-auth-receipt']!
  const demo = { methods: ['password'], password: { user: { ...named, name: 'demo', password: 'demo' } } }
  assert.equal((await logIn(cloud, demo, receipt)).status, 401)
  assert.equal((await logIn(cloud, demo, 'nonsense')).status, 401)
  assert.equal(await cloud.env.authenticate(receipt), undefined)
  await clock.advance(301_000)
  assert.equal((await logIn(cloud, totp(code(cloud)), receipt)).status, 401)
  const late = (await logIn(cloud, password)).headers['openstack-auth-receipt']!
  await patch({ multi_factor_auth_enabled: false })
  assert.equal((await logIn(cloud, password)).status, 201)
  assert.equal((await logIn(cloud, password, late)).status, 201)
})

test('a token is no receipt, and a password change ends receipts', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const { user_id, admin } = await jane(cloud, [['password', 'totp']])
  const receipt = (await logIn(cloud, password)).headers['openstack-auth-receipt']!
  assert.equal((await logIn(cloud, totp(code(cloud)), admin)).status, 401)
  const body = { user: { password: 'other' } }
  await cloud.request('PATCH', `/identity/v3/users/${user_id}`, { token: admin, body })
  assert.equal((await logIn(cloud, totp(code(cloud)), receipt)).status, 401)
})

test('rules of methods that are not there lock nobody out', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  await jane(cloud, [['telepathy']])
  assert.equal((await logIn(cloud, password)).status, 201)
})

test('guessing codes locks as guessing passwords does', async () => {
  await using cloud = await testCloud({ clock: virtualClock(), set: ['identity.lockout_attempts=3'] })
  await jane(cloud)
  for (let i = 0; i < 3; i++) await logIn(cloud, totp('000000'))
  assert.equal((await logIn(cloud, totp(code(cloud)))).status, 401)
  assert.equal((await logIn(cloud, password)).status, 401)
})
