/** Signed tokens as the provider: the same tokens to everybody, and proof to those who have the public keys. */
import assert from 'node:assert/strict'
import { createPublicKey, verify, type webcrypto } from 'node:crypto'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { systemCtx } from '#kernel/context.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { rotateTokenKeys } from '../keys/key.ts'

const set = ['identity.token_provider=jws']

type Jwk = webcrypto.JsonWebKey & { kid: string }

const keysOf = async (cloud: TestCloud) =>
  (await cloud.request<{ keys: Jwk[] }>('GET', '/identity/.well-known/jwks.json')).body.keys

/** As a service elsewhere does it, with the public keys alone. */
function claimsOf(token: string, keys: Jwk[]): Record<string, unknown> | undefined {
  const [head, body, signature] = token.split('.') as [string, string, string]
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString())
  const jwk = keys.find(key => key.kid === kid)
  if (!jwk) return undefined
  const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const }
  const right = verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
  return right ? JSON.parse(Buffer.from(body, 'base64url').toString()) : undefined
}

onEachEngine('a signed token says upstream’s claims, and is good here as any', async database => {
  await using cloud = await testCloud({ set, database, clock: virtualClock() })
  const { token, user_id, id } = await cloud.project('signer')
  const claims = claimsOf(token, await keysOf(cloud))
  const {
    iat,
    exp,
    openstack_audit_ids,
    nephos_generation: _,
    ...said
  } = claims as { iat: number; exp: number } & Record<string, unknown>
  assert.deepEqual(said, { sub: user_id, openstack_methods: ['password'], openstack_project_id: id })
  assert.equal(exp - iat, 86_400)
  const shown = await cloud.request<{ token: { issued_at: string; expires_at: string; audit_ids: string[] } }>(
    'GET',
    '/identity/v3/auth/tokens',
    { token, headers: { 'x-subject-token': token } },
  )
  assert.equal(shown.status, 200)
  assert.equal(Date.parse(shown.body.token.issued_at), iat * 1000)
  assert.equal(Date.parse(shown.body.token.expires_at), exp * 1000)
  assert.deepEqual(shown.body.token.audit_ids, openstack_audit_ids)
  const system = await cloud.login('admin', { system: { all: true } })
  assert.equal((await cloud.env.authenticate(system))?.system_scope, 'all')
  const revoked = { token, headers: { 'x-subject-token': token } }
  assert.equal((await cloud.request('DELETE', '/identity/v3/auth/tokens', revoked)).status, 204)
  assert.equal(await cloud.env.authenticate(token), undefined)
})

test('rotating the keys logs nobody out, and the next key is known before it is used', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ set, clock })
  const before = await keysOf(cloud)
  const token = await cloud.login('demo')
  await rotateTokenKeys(systemCtx(cloud.env))
  const next = await cloud.login('demo')
  assert.ok(claimsOf(next, before), 'the new primary key was published before')
  assert.ok(await cloud.env.authenticate(token))
  assert.ok(claimsOf(token, await keysOf(cloud)))
  await clock.advance((86_400 + 172_800) * 1000 + 1)
  await rotateTokenKeys(systemCtx(cloud.env))
  assert.equal(claimsOf(token, await keysOf(cloud)), undefined)
})

test('a cloud that changes its provider logs nobody out', async () => {
  await using cloud = await testCloud({ set })
  const signed = await cloud.login('demo')
  await using other = await testCloud({ database: { ...cloud.env.database, [Symbol.asyncDispose]: async () => {} } })
  const sealed = await other.login('demo')
  assert.ok(!sealed.includes('.'))
  assert.ok(await other.env.authenticate(signed))
  assert.ok(await cloud.env.authenticate(sealed))
})
