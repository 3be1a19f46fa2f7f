/** OAuth 2.0 client credentials, and what is gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

interface Answer {
  access_token?: string
  token_type?: string
  expires_in?: number
  error?: string
}

async function client(cloud: TestCloud) {
  const owner = await cloud.project('owner')
  const made = await cloud.request<{ application_credential: { id: string; secret: string } }>(
    'POST',
    `/identity/v3/users/${owner.user_id}/application_credentials`,
    { token: owner.token, body: { application_credential: { name: 'client' } } },
  )
  return { owner, ...made.body.application_credential }
}

function ask(cloud: TestCloud, form: Record<string, string>, authorization?: string) {
  return cloud.request<Answer>('POST', '/identity/v3/OS-OAUTH2/token', {
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...(authorization && { authorization }) },
  })
}

const grant = { grant_type: 'client_credentials' }
const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

onEachEngine('an application credential gets an access token, by header or by form', async database => {
  await using cloud = await testCloud({ database })
  const { id, secret, owner } = await client(cloud)
  for (const answer of [
    await ask(cloud, grant, basic(id, secret)),
    await ask(cloud, { ...grant, client_id: id, client_secret: secret }),
  ]) {
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    assert.equal(answer.body.token_type, 'Bearer')
    assert.ok(answer.body.expires_in! > 86_000)
    const identity = await cloud.env.authenticate(answer.body.access_token!)
    assert.equal(identity?.project_id, owner.id)
    assert.equal(identity?.application_credential_id, id)
  }
})

test('a form that is too long is refused, and not read in part', async () => {
  await using cloud = await testCloud()
  const { id, secret } = await client(cloud)
  const form = { ...grant, client_id: id, client_secret: secret, pad: 'x'.repeat(65_536) }
  assert.equal((await ask(cloud, form)).status, 413)
})

test('refusals are in the words of OAuth 2.0', async () => {
  await using cloud = await testCloud()
  const { id } = await client(cloud)
  const refusals = [
    [await ask(cloud, {}), 400, 'invalid_request'],
    [await ask(cloud, { grant_type: 'password' }), 400, 'unsupported_grant_type'],
    [await ask(cloud, grant), 401, 'invalid_client'],
    [await ask(cloud, grant, basic(id, 'wrong')), 401, 'invalid_client'],
    [await ask(cloud, grant, basic('nobody', 'x')), 401, 'invalid_client'],
  ] as const
  for (const [{ status, body, headers }, expected, error] of refusals) {
    assert.equal(status, expected)
    assert.equal(body.error, error)
    assert.equal(headers['www-authenticate'] !== undefined, expected === 401)
  }
})

test('PKI tokens are gone', async () => {
  await using cloud = await testCloud()
  assert.equal((await cloud.request('GET', '/identity/v3/OS-SIMPLE-CERT/ca')).status, 410)
  const token = await cloud.login('admin')
  assert.equal((await cloud.request('GET', '/identity/v3/auth/tokens/OS-PKI/revoked', { token })).status, 410)
})
