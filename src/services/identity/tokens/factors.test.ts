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

/** A project that asks for more than its user does. */
async function vault(cloud: TestCloud, options: object) {
  const { admin, user_id } = await jane(cloud)
  const ask = <T>(method: string, path: string, body?: object) =>
    cloud.request<T>(method, `/identity/v3/${path}`, { token: admin, ...(body && { body }) })
  const { project } = (await ask<{ project: { id: string } }>('POST', 'projects', { project: { name: 'vault' } })).body
  const { roles } = (await ask<{ roles: { id: string }[] }>('GET', 'roles?name=member')).body
  await ask('PUT', `projects/${project.id}/users/${user_id}/roles/${roles[0]!.id}`)
  const set = (options: object) => ask('PATCH', `projects/${project.id}`, { project: { options } })
  assert.equal((await set(options)).status, 200)
  const enter = (identity: object, receipt?: string) =>
    cloud.request<Answer>('POST', '/identity/v3/auth/tokens', {
      body: { auth: { identity, scope: { project: { id: project.id } } } },
      headers: receipt ? { 'openstack-auth-receipt': receipt } : {},
    })
  return { ask, set, enter, project, user_id }
}

const both = (cloud: TestCloud) => ({ ...password, ...totp(code(cloud)), methods: ['password', 'totp'] })

onEachEngine('a project asks for more factors than its users, and says which are missing (S-282)', async database => {
  await using cloud = await testCloud({ database, clock: virtualClock() })
  const { enter, set, project } = await vault(cloud, { multi_factor_auth_rules: [['password', 'totp']] })
  assert.equal((await logIn(cloud, password)).status, 201, 'for other scopes one is enough')
  const first = await enter(password)
  assert.equal(first.status, 401)
  assert.deepEqual(first.body.required_auth_methods, [['password', 'totp']])
  const second = await enter(totp(code(cloud)), first.headers['openstack-auth-receipt'])
  assert.equal(second.status, 201, JSON.stringify(second.body))
  const token = second.headers['x-subject-token']!
  assert.ok(await cloud.env.authenticate(token))

  assert.equal((await set({ multi_factor_auth_rules: null, multi_factor_auth_count: 3 })).status, 200)
  assert.equal(await cloud.env.authenticate(token), undefined, 'a token of two is no longer one for the project')
  const two = await enter(both(cloud))
  assert.equal(two.status, 401)
  assert.deepEqual(two.body.receipt?.methods.sort(), ['password', 'totp'])
  assert.deepEqual(two.body.required_auth_methods, [], 'there is no third here')
  const other = (await logIn(cloud, both(cloud))).headers['x-subject-token']!
  assert.equal((await enter({ methods: ['token'], token: { id: other } })).status, 401, 'nor by way of another token')
  assert.equal((await set({ multi_factor_auth_count: 2 })).status, 200)
  assert.equal((await enter({ methods: ['token'], token: { id: other } })).status, 201)
  for (const wrong of [{ multi_factor_auth_count: 0 }, { multi_factor_auth_rules: [[]] }, { multi_factor: 1 }]) {
    assert.equal((await set(wrong)).status, 400, `${project.id} ${JSON.stringify(wrong)}`)
  }
})

test('a token by way of a receipt goes back to the token that began it: it ends with it, and no later', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const { enter } = await vault(cloud, { multi_factor_auth_rules: [['password', 'totp']] })
  const begin = async () => {
    const token = (await logIn(cloud, password)).headers['x-subject-token']!
    await clock.advance(60_000)
    const refused = await enter({ methods: ['token'], token: { id: token } })
    assert.equal(refused.status, 401)
    return { token, receipt: refused.headers['openstack-auth-receipt']! }
  }
  const until = async (token: string) => (await cloud.env.authenticate(token))?.expires_at
  const { token, receipt } = await begin()
  const more = (await enter(totp(code(cloud)), receipt)).headers['x-subject-token']!
  assert.equal(await until(more), await until(token))
  const other = await begin()
  const both = { ...totp(code(cloud)), methods: ['token', 'totp'], token: { id: token } }
  assert.equal((await enter(both, other.receipt)).status, 401, 'one token cannot go back to two')
  for (const one of [token, other.token]) {
    const headers = { 'x-subject-token': one }
    assert.equal((await cloud.request('DELETE', '/identity/v3/auth/tokens', { token: one, headers })).status, 204)
  }
  assert.equal(await until(more), undefined)
  assert.equal((await enter(totp(code(cloud)), other.receipt)).status, 401)
})

test('a method that is not there opens no project', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const { enter } = await vault(cloud, { multi_factor_auth_rules: [['password', 'telepathy']] })
  const { status, body } = await enter(both(cloud))
  assert.equal(status, 401)
  assert.deepEqual(body.required_auth_methods, [['password', 'telepathy']])
})

test('a default project that asks for more is not entered unasked', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const { ask, project, user_id } = await vault(cloud, { multi_factor_auth_count: 2 })
  await ask('PATCH', `users/${user_id}`, { user: { default_project_id: project.id } })
  const { status, body } = await logIn(cloud, password)
  assert.equal(status, 201)
  assert.ok(!('project' in body.token!))
  assert.ok('project' in (await logIn(cloud, both(cloud))).body.token!)
})

test('an application credential is one factor, unless the project says that it will do', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const { enter, set, user_id } = await vault(cloud, { multi_factor_auth_count: 2 })
  const token = (await enter(both(cloud))).headers['x-subject-token']!
  const made = await cloud.request<{ application_credential: { id: string; secret: string } }>(
    'POST',
    `/identity/v3/users/${user_id}/application_credentials`,
    { token, body: { application_credential: { name: 'robot' } } },
  )
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { id, secret } = made.body.application_credential
  const robot = { methods: ['application_credential'], application_credential: { id, secret } }
  const refused = await logIn(cloud, robot)
  assert.equal(refused.status, 401)
  assert.equal(refused.headers['openstack-auth-receipt'], undefined)
  const rules = [['password', 'totp'], ['application_credential']]
  await set({ multi_factor_auth_count: null, multi_factor_auth_rules: rules })
  assert.equal((await logIn(cloud, robot)).status, 201)
})
