/** EC2 credentials: made by users, proved by signatures, ending with what they rest on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestProject, testCloud } from '../../../../test/harness.ts'
import { ec2Signature, s3Signature } from '../ec2-signature.ts'

interface Keys {
  access: string
  secret: string
  tenant_id: string
  trust_id: string | null
}

const pathOf = (user: string) => `/identity/v3/users/${user}/credentials/OS-EC2`

async function make(cloud: TestCloud, { token, user_id, id }: Pick<TestProject, 'token' | 'user_id' | 'id'>) {
  const options = { token, body: { tenant_id: id } }
  const made = await cloud.request<{ credential: Keys }>('POST', pathOf(user_id), options)
  assert.equal(made.status, 201, JSON.stringify(made.body))
  return made.body.credential
}

function signed(cloud: TestCloud, { access, secret }: Keys, more: object = {}) {
  const params = {
    SignatureVersion: '2',
    AWSAccessKeyId: access,
    Timestamp: new Date(cloud.env.clock.now()).toISOString(),
  }
  const request = { verb: 'POST', host: 'ec2.test:8773', path: '/', params, headers: {}, body_hash: '' }
  return { access, ...request, signature: ec2Signature(secret, request), ...more }
}

async function prove(cloud: TestCloud, credentials: object, token?: string) {
  const as = token ?? (await cloud.login('admin'))
  const answer = await cloud.request<{ token: { user: { id: string }; project: { id: string }; methods: string[] } }>(
    'POST',
    '/identity/v3/ec2tokens',
    { token: as, body: { credentials } },
  )
  return answer
}

onEachEngine('a service learns from a signature who signed', async database => {
  await using cloud = await testCloud({ database })
  const owner = await cloud.project('owner')
  const keys = await make(cloud, owner)
  assert.equal(keys.tenant_id, owner.id)
  const { status, body, headers } = await prove(cloud, signed(cloud, keys))
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body.token.user.id, owner.user_id)
  assert.equal(body.token.project.id, owner.id)
  assert.deepEqual(body.token.methods, ['ec2credential'])
  assert.ok(await cloud.env.authenticate(headers['x-subject-token']!))
  // Signed without the port, sent with it.
  const bare = { ...signed(cloud, keys), host: 'ec2.test' }
  const again = ec2Signature(keys.secret, { ...bare, headers: {} })
  assert.equal((await prove(cloud, { ...bare, host: 'ec2.test:8773', signature: again })).status, 200)
})

test('a wrong or late signature, an unknown key, a user who asks for itself', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const owner = await cloud.project('owner')
  const keys = await make(cloud, owner)
  assert.equal((await prove(cloud, signed(cloud, keys, { signature: 'x' }))).status, 401)
  assert.equal((await prove(cloud, signed(cloud, keys, { path: '/other' }))).status, 401)
  assert.equal((await prove(cloud, signed(cloud, { ...keys, access: 'unknown' }))).status, 404)
  assert.equal((await prove(cloud, {})).status, 401)
  assert.equal((await prove(cloud, signed(cloud, keys), owner.token)).status, 403)
  const old = signed(cloud, keys)
  await clock.advance(901_000)
  assert.equal((await prove(cloud, old)).status, 401)
  assert.equal((await prove(cloud, signed(cloud, keys))).status, 200)
})

test('attack 7: a signed request is good for a quarter of an hour around its time, and must have one', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const keys = await make(cloud, await cloud.project('owner'))
  const request = signed(cloud, keys)
  const { Timestamp: _, ...timeless } = request.params
  const sign = (params: Record<string, string>) => ({
    ...request,
    params,
    signature: ec2Signature(keys.secret, { ...request, params }),
  })
  assert.equal((await prove(cloud, sign(timeless))).status, 401)
  assert.equal((await prove(cloud, sign({ ...timeless, Timestamp: 'soon' }))).status, 401)
  assert.equal((await prove(cloud, sign({ ...timeless, Timestamp: '2099-01-01T00:00:00Z' }))).status, 401)
  await clock.advance(899_000)
  assert.equal((await prove(cloud, request)).status, 200)
  await clock.advance(60_000)
  assert.equal((await prove(cloud, request)).status, 401)
})

test('attack 6: nobody learns from a signature who signed without being a service', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const credentials = signed(cloud, await make(cloud, owner))
  const service = (await cloud.project('nova', 'service')).token
  for (const path of ['ec2tokens', 's3tokens']) {
    const ask = async (token?: string) => {
      const options = { ...(token && { token }), body: { credentials } }
      const { status, body, headers } = await cloud.request('POST', `/identity/v3/${path}`, options)
      return { status, told: JSON.stringify(body).includes(owner.user_id) || 'x-subject-token' in headers }
    }
    assert.deepEqual(await ask(), { status: 401, told: false })
    assert.deepEqual(await ask(owner.token), { status: 403, told: false })
    // To an object store the signature of another protocol is none.
    assert.deepEqual(
      await ask(service),
      path === 'ec2tokens' ? { status: 200, told: true } : { status: 401, told: false },
    )
  }
})

test('keys end with the role, the user and themselves', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const token = await cloud.login('admin')
  const keys = await make(cloud, owner)
  const item = `${pathOf(owner.user_id)}/${keys.access}`
  assert.equal((await cloud.request('GET', item, owner)).status, 200)
  assert.equal((await cloud.request('DELETE', item, owner)).status, 204)
  assert.equal((await prove(cloud, signed(cloud, keys))).status, 404)
  const others = await make(cloud, owner)
  const body = { user: { enabled: false } }
  await cloud.request('PATCH', `/identity/v3/users/${owner.user_id}`, { token, body })
  assert.equal((await prove(cloud, signed(cloud, others))).status, 401)
})

test('only the owner and admins see and end them', async () => {
  await using cloud = await testCloud()
  const [owner, eve] = [await cloud.project('owner'), await cloud.project('eve')]
  const { access } = await make(cloud, owner)
  for (const [method, path] of [
    ['GET', pathOf(owner.user_id)],
    ['GET', `${pathOf(owner.user_id)}/${access}`],
    ['DELETE', `${pathOf(owner.user_id)}/${access}`],
    ['DELETE', `${pathOf(eve.user_id)}/${access}`],
  ] as const) {
    const { status } = await cloud.request(method, path, eve)
    assert.ok(status === 403 || status === 404, `${method} ${path}: ${status}`)
  }
  const asEve = { token: eve.token, body: { tenant_id: owner.id } }
  assert.equal((await cloud.request('POST', pathOf(owner.user_id), asEve)).status, 403)
  const list = await cloud.request<{ credentials: Keys[] }>('GET', pathOf(owner.user_id), owner)
  assert.deepEqual(
    list.body.credentials.map(one => one.access),
    [access],
  )
})

test('keys made with a trust are good no longer than it, and for its project alone', async () => {
  await using cloud = await testCloud()
  const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
  const trust = {
    trustor_user_id: alice.user_id,
    trustee_user_id: bob.user_id,
    project_id: alice.id,
    impersonation: true,
    roles: [{ name: 'member' }],
  }
  const { body } = await cloud.request<{ trust: { id: string } }>('POST', '/identity/v3/OS-TRUST/trusts', {
    token: alice.token,
    body: { trust },
  })
  const auth = {
    identity: { methods: ['token'], token: { id: bob.token } },
    scope: { 'OS-TRUST:trust': { id: body.trust.id } },
  }
  const issued = await cloud.request('POST', '/identity/v3/auth/tokens', { body: { auth } })
  const token = issued.headers['x-subject-token']!
  const elsewhere = { token, body: { tenant_id: bob.id } }
  assert.equal((await cloud.request('POST', pathOf(alice.user_id), elsewhere)).status, 403)
  const keys = await make(cloud, { token, user_id: alice.user_id, id: alice.id })
  assert.equal(keys.trust_id, body.trust.id)
  const proved = await prove(cloud, signed(cloud, keys))
  assert.equal(proved.status, 200, JSON.stringify(proved.body))
  assert.equal(proved.body.token.user.id, alice.user_id)
  await cloud.request('DELETE', `/identity/v3/OS-TRUST/trusts/${body.trust.id}`, alice)
  assert.equal((await prove(cloud, signed(cloud, keys))).status, 401)
})

test('an object store has a signature checked, and gets no token', async () => {
  await using cloud = await testCloud()
  const owner = await cloud.project('owner')
  const { access, secret } = await make(cloud, owner)
  const text = Buffer.from('GET\n\n\nSat, 31 Jan 2026 12:00:00 GMT\n/bucket/key')
  const credentials = { access, token: text.toString('base64url'), signature: s3Signature(secret, text) }
  const token = await cloud.login('admin')
  const ask = (body: object) =>
    cloud.request<{ token: { user: { id: string } } }>('POST', '/identity/v3/s3tokens', { token, body })
  const { status, body, headers } = await ask({ credentials })
  assert.equal(status, 200)
  assert.equal(body.token.user.id, owner.user_id)
  assert.equal(headers['x-subject-token'], undefined)
  assert.equal((await ask({ credentials: { ...credentials, signature: 'x' } })).status, 401)
  assert.equal((await cloud.request('POST', '/identity/v3/s3tokens', { body: { credentials } })).status, 401)
})
