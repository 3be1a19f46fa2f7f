/** Application credentials: what a program that logs in with one may do, and what it may not; attack case 9. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestProject, testCloud } from '../../../../test/harness.ts'

interface Made {
  application_credential: { id: string; secret: string; roles: { name: string }[]; project_id: string }
}

function create(cloud: TestCloud, { token, user_id }: Pick<TestProject, 'token' | 'user_id'>, asked: object = {}) {
  const body = { application_credential: { name: 'robot', ...asked } }
  return cloud.request<Made>('POST', `/identity/v3/users/${user_id}/application_credentials`, { token, body })
}

async function logInWith(cloud: TestCloud, credential: { id?: string; name?: string; secret: string; user?: object }) {
  const identity = { methods: ['application_credential'], application_credential: credential }
  return cloud.request<{ token: { roles: { name: string }[]; project: { id: string } } }>(
    'POST',
    '/identity/v3/auth/tokens',
    { body: { auth: { identity } } },
  )
}

/** A token of a new application credential of the owner. */
async function robotOf(cloud: TestCloud, owner: TestProject, asked: object = {}): Promise<string> {
  const made = await create(cloud, owner, asked)
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { id, secret } = made.body.application_credential
  return (await logInWith(cloud, { id, secret })).headers['x-subject-token']!
}

onEachEngine('logs in by id or by name and user, in its project, with the roles it was given', async database => {
  await using cloud = await testCloud({ database })
  const owner = await cloud.project('owner')
  const made = await create(cloud, owner, { roles: [{ name: 'reader' }] })
  assert.equal(made.status, 201)
  const { id, secret } = made.body.application_credential
  const byName = { name: 'robot', user: { name: 'owner', domain: { id: 'default' } }, secret }
  for (const way of [{ id, secret }, byName]) {
    const { status, body } = await logInWith(cloud, way)
    assert.equal(status, 201)
    assert.equal(body.token.project.id, owner.id)
    assert.deepEqual(
      body.token.roles.map(role => role.name),
      ['reader'],
    )
  }
  const shown = await cloud.request('GET', `/identity/v3/users/${owner.user_id}/application_credentials/${id}`, owner)
  assert.equal(shown.status, 200)
  assert.ok(!JSON.stringify(shown.body).includes(secret))
})

test('a wrong secret, an unknown credential and an ended one look the same', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const owner = await cloud.project('owner')
  const expires_at = new Date(clock.now() + 60_000).toISOString()
  const { id, secret } = (await create(cloud, owner, { expires_at })).body.application_credential
  const wrong = await logInWith(cloud, { id, secret: 'x' })
  const unknown = await logInWith(cloud, { id: 'f'.repeat(32), secret })
  await clock.advance(60_001)
  const ended = await logInWith(cloud, { id, secret })
  for (const { status, body } of [wrong, unknown, ended])
    assert.deepEqual({ status, body }, { status: 401, body: wrong.body })
})

test('the same name twice is a conflict; a role that the user lacks is refused', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  assert.equal((await create(cloud, owner)).status, 201)
  assert.equal((await create(cloud, owner)).status, 409)
  assert.equal((await create(cloud, owner, { name: 'more', roles: [{ name: 'admin' }] })).status, 400)
})

test('access rules hold a token to some requests, also a token made from it', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const access_rules = [{ service: 'compute', method: 'GET', path: '/v2.1/flavors/*' }]
  const token = await robotOf(cloud, owner, { access_rules })
  const again = await cloud.request('POST', '/identity/v3/auth/tokens', {
    body: { auth: { identity: { methods: ['token'], token: { id: token } } } },
  })
  for (const held of [token, again.headers['x-subject-token']!]) {
    const ask = async (method: string, url: string) => (await cloud.request(method, url, { token: held })).status
    assert.equal(await ask('GET', '/compute/v2.1/flavors/unknown'), 404)
    assert.equal(await ask('GET', '/compute/v2.1/flavors/detail'), 200)
    assert.equal(await ask('GET', '/compute/v2.1/flavors'), 401)
    assert.equal(await ask('DELETE', '/compute/v2.1/flavors/unknown'), 401)
    assert.equal(await ask('GET', '/identity/v3/auth/catalog'), 401)
  }
})

test('an access rule stays as long as a credential needs it, and is deleted after that', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const made = await create(cloud, owner, {
    access_rules: [{ service: 'compute', method: 'GET', path: '/v2.1/flavors' }],
  })
  const user = `/identity/v3/users/${owner.user_id}`
  const rules = async () =>
    (await cloud.request<{ access_rules: { id: string }[] }>('GET', `${user}/access_rules`, owner)).body.access_rules
  const [rule] = await rules()
  const remove = async () => (await cloud.request('DELETE', `${user}/access_rules/${rule!.id}`, owner)).status
  assert.equal(await remove(), 403)
  const { id } = made.body.application_credential
  assert.equal((await cloud.request('DELETE', `${user}/application_credentials/${id}`, owner)).status, 204)
  assert.equal(await remove(), 204)
  assert.deepEqual(await rules(), [])
  assert.equal(await remove(), 404)
})

test('attack 9: a restricted credential makes no other secrets; one that may, does', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const { id: project_id, user_id } = owner
  const ec2 = { type: 'ec2', user_id, project_id, blob: JSON.stringify({ access: 'a', secret: 's' }) }
  const restricted = await robotOf(cloud, owner)
  assert.equal((await create(cloud, { token: restricted, user_id }, { name: 'second' })).status, 403)
  const refused = await cloud.request('POST', '/identity/v3/credentials', {
    token: restricted,
    body: { credential: ec2 },
  })
  assert.equal(refused.status, 403)
  const keys = `users/${user_id}/credentials/OS-EC2`
  const trust = { trustor_user_id: user_id, trustee_user_id: user_id, project_id, impersonation: true }
  const attempts = [
    ['POST', keys, { tenant_id: project_id }],
    ['GET', keys],
    ['GET', 'credentials/unknown'],
    ['POST', 'OS-TRUST/trusts', { trust: { ...trust, roles: [{ name: 'member' }] } }],
    ['PATCH', `users/${user_id}`, { user: { password: 'another' } }],
  ] as const
  for (const [method, path, body] of attempts) {
    const { status } = await cloud.request(method, `/identity/v3/${path}`, { token: restricted, body })
    assert.equal(status, 403, `${method} ${path}`)
  }
  const free = await robotOf(cloud, owner, { name: 'free', unrestricted: true })
  assert.equal((await create(cloud, { token: free, user_id }, { name: 'third' })).status, 201)
  const made = await cloud.request('POST', `/identity/v3/${keys}`, { token: free, body: { tenant_id: project_id } })
  assert.equal(made.status, 201)
})

test('attack 9: a credential is used in its own project only', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const token = await robotOf(cloud, owner)
  for (const scope of [
    { project: { name: 'admin', domain: { id: 'default' } } },
    { system: { all: true } },
    'unscoped',
  ]) {
    const answer = await cloud.request('POST', '/identity/v3/auth/tokens', {
      body: { auth: { identity: { methods: ['token'], token: { id: token } }, scope } },
    })
    assert.equal(answer.status, 403, JSON.stringify(scope))
  }
})

test('what is deleted ends its tokens', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const { id, secret } = (await create(cloud, owner)).body.application_credential
  const token = (await logInWith(cloud, { id, secret })).headers['x-subject-token']!
  assert.ok(await cloud.env.authenticate(token))
  const path = `/identity/v3/users/${owner.user_id}/application_credentials/${id}`
  assert.equal((await cloud.request('DELETE', path, owner)).status, 204)
  assert.equal(await cloud.env.authenticate(token), undefined)
  assert.equal((await logInWith(cloud, { id, secret })).status, 401)
  const told = await cloud.request<{ events: { application_credential_id?: string }[] }>(
    'GET',
    '/identity/v3/OS-REVOKE/events',
    { token: await cloud.login('admin') },
  )
  assert.ok(told.body.events.some(event => event.application_credential_id === id))
})

test('its end is shown as it was asked for', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const made = await create(cloud, owner, { expires_at: '2199-01-31T12:00:00.123456' })
  assert.equal((made.body.application_credential as { expires_at?: string }).expires_at, '2199-01-31T12:00:00.123456')
})
