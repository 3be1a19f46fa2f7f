/** OAuth1: a program gets to act for a user with what the user allows, and no longer than that. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { oauthSignature } from '../oauth1-signature.ts'

interface Keys {
  id: string
  secret: string
}

async function signed(cloud: TestCloud, path: string, consumer: Keys, token?: Keys, more: object = {}) {
  const params: Record<string, string> = {
    oauth_consumer_key: consumer.id,
    oauth_signature_method: 'HMAC-SHA1',
    oauth_timestamp: String(Math.floor(cloud.env.clock.now() / 1000)),
    oauth_nonce: cloud.env.ids.hex(),
    ...(token && { oauth_token: token.id }),
    ...more,
  }
  const request = { method: 'POST', url: `http://cloud.test/identity/v3/${path}`, params }
  params.oauth_signature ??= oauthSignature(request, consumer.secret, token?.secret ?? '')!
  const members = Object.entries(params).map(([name, value]) => `${name}="${encodeURIComponent(value)}"`)
  return { authorization: `OAuth ${members.join(', ')}` }
}

function keysOf(answer: unknown): Keys {
  const found = new URLSearchParams(String(answer))
  return { id: found.get('oauth_token')!, secret: found.get('oauth_token_secret')! }
}

async function makeConsumer(cloud: TestCloud): Promise<Keys> {
  const token = await cloud.login('admin')
  const body = { consumer: { description: 'a program' } }
  const made = await cloud.request<{ consumer: Keys }>('POST', '/identity/v3/OS-OAUTH1/consumers', { token, body })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  return made.body.consumer
}

test('a consumer needs no description, and a change of one names something', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin')
  const path = '/identity/v3/OS-OAUTH1/consumers'
  const made = await cloud.request<{ consumer: Keys & { description: null } }>('POST', path, {
    ...{ token, body: { consumer: {} } },
  })
  assert.deepEqual([made.status, made.body.consumer.description], [201, null])
  const change = { token, body: { consumer: {} } }
  assert.equal((await cloud.request('PATCH', `${path}/${made.body.consumer.id}`, change)).status, 400)
})

/** The steps up to an access token, for the admin's project with the role member. */
async function access(cloud: TestCloud, consumer: Keys) {
  const token = await cloud.login('admin')
  const identity = (await cloud.env.authenticate(token))!
  const project = { 'requested-project-id': identity.project_id! }
  const first = 'OS-OAUTH1/request_token'
  const asked = await cloud.request('POST', `/identity/v3/${first}`, {
    headers: { ...(await signed(cloud, first, consumer, undefined, { oauth_callback: 'oob' })), ...project },
  })
  assert.equal(asked.status, 201, JSON.stringify(asked.body))
  const request = keysOf(asked.body)
  const fetch = async (oauth_verifier: string) => {
    const last = 'OS-OAUTH1/access_token'
    const headers = await signed(cloud, last, consumer, request, { oauth_verifier })
    return cloud.request('POST', `/identity/v3/${last}`, { headers })
  }
  assert.equal((await fetch('guess')).status, 401, 'the user has not said yes')
  const body = { roles: [{ name: 'member' }] }
  const said = await cloud.request<{ token: { oauth_verifier: string } }>(
    'PUT',
    `/identity/v3/OS-OAUTH1/authorize/${request.id}`,
    { token, body },
  )
  assert.equal(said.status, 200, JSON.stringify(said.body))
  assert.equal((await fetch('guess')).status, 401)
  const fetched = await fetch(said.body.token.oauth_verifier)
  assert.equal(fetched.status, 201, JSON.stringify(fetched.body))
  assert.equal((await fetch(said.body.token.oauth_verifier)).status, 404, 'it is fetched once')
  return { keys: keysOf(fetched.body), token, identity }
}

async function logIn(cloud: TestCloud, consumer: Keys, keys: Keys, more: object = {}) {
  const headers = await signed(cloud, 'auth/tokens', consumer, keys, more)
  const body = { auth: { identity: { methods: ['oauth1'], oauth1: {} } } }
  return cloud.request<{ token: { roles: { name: string }[]; user: { id: string }; 'OS-OAUTH1': object } }>(
    'POST',
    '/identity/v3/auth/tokens',
    { headers, body },
  )
}

onEachEngine('a program acts for a user with the roles it was given, until the user ends it', async database => {
  await using cloud = await testCloud({ database })
  const consumer = await makeConsumer(cloud)
  const { keys, token, identity } = await access(cloud, consumer)
  const { status, body, headers } = await logIn(cloud, consumer, keys)
  assert.equal(status, 201, JSON.stringify(body))
  assert.equal(body.token.user.id, identity.user_id)
  assert.deepEqual(
    body.token.roles.map(role => role.name),
    ['member', 'reader'],
  )
  assert.deepEqual(body.token['OS-OAUTH1'], { access_token_id: keys.id, consumer_id: consumer.id })
  const delegated = headers['x-subject-token']!
  assert.ok(await cloud.env.authenticate(delegated))
  const again = { auth: { identity: { methods: ['token'], token: { id: delegated } } } }
  assert.equal((await cloud.request('POST', '/identity/v3/auth/tokens', { body: again })).status, 403)

  const own = `/identity/v3/users/${identity.user_id}/OS-OAUTH1/access_tokens`
  const list = await cloud.request<{ access_tokens: { id: string }[] }>('GET', own, { token })
  assert.deepEqual(
    list.body.access_tokens.map(one => one.id),
    [keys.id],
  )
  assert.ok(!JSON.stringify(list.body).includes(keys.secret))
  const shown = await cloud.request<{ access_token: object }>('GET', `${own}/${keys.id}`, { token })
  assert.deepEqual(shown.body.access_token, list.body.access_tokens[0])
  const roles = await cloud.request<{ roles: { id: string }[] }>('GET', `${own}/${keys.id}/roles`, { token })
  assert.equal(roles.body.roles.length, 1)
  const [role] = roles.body.roles
  const one = await cloud.request<{ role: object }>('GET', `${own}/${keys.id}/roles/${role!.id}`, { token })
  assert.deepEqual(one.body.role, role)
  assert.equal((await cloud.request('GET', `${own}/${keys.id}/roles/${consumer.id}`, { token })).status, 404)
  assert.equal((await cloud.request('DELETE', `${own}/${keys.id}`, { token })).status, 204)
  assert.equal(await cloud.env.authenticate(delegated), undefined)
  assert.equal((await logIn(cloud, consumer, keys)).status, 401)
})

test('a wrong signature, an old time, another consumer', async () => {
  await using cloud = await testCloud()
  const consumer = await makeConsumer(cloud)
  const { keys } = await access(cloud, consumer)
  assert.equal((await logIn(cloud, consumer, { ...keys, secret: 'x' })).status, 401)
  assert.equal((await logIn(cloud, consumer, keys, { oauth_signature: 'x' })).status, 401)
  assert.equal((await logIn(cloud, consumer, keys, { oauth_timestamp: '1' })).status, 401)
  assert.equal((await logIn(cloud, await makeConsumer(cloud), keys)).status, 401)
  const bare = await cloud.request('POST', '/identity/v3/OS-OAUTH1/request_token')
  assert.equal(bare.status, 400)
})

test('a consumer tells its secret once, and what it was allowed ends with it', async () => {
  await using cloud = await testCloud()
  const consumer = await makeConsumer(cloud)
  const { keys, token } = await access(cloud, consumer)
  const path = `/identity/v3/OS-OAUTH1/consumers/${consumer.id}`
  const shown = await cloud.request('GET', path, { token })
  assert.ok(!JSON.stringify(shown.body).includes(consumer.secret))
  const patch = (change: object) => cloud.request('PATCH', path, { token, body: { consumer: change } })
  assert.equal((await patch({ description: 'other' })).status, 200)
  assert.equal((await patch({ secret: 'mine' })).status, 400)
  const delegated = (await logIn(cloud, consumer, keys)).headers['x-subject-token']!
  assert.equal((await cloud.request('DELETE', path, { token })).status, 204)
  assert.equal(await cloud.env.authenticate(delegated), undefined)
})
