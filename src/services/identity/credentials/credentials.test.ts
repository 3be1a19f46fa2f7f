/** Credentials belong to one user: nobody reads, moves or forges them; attack case 8. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../../../test/harness.ts'

interface Credential {
  id: string
  user_id: string
  blob: string
}

test('attack 8: a credential goes to no other user or project, and nobody lists those of others', async () => {
  await using cloud = await testCloud()
  const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
  const ask = (method: string, path: string, token: string, credential?: object) =>
    cloud.request<{ credential: Credential; credentials: Credential[] }>(method, `/identity/v3/credentials${path}`, {
      token,
      body: credential && { credential },
    })
  const blob = JSON.stringify({ access: 'alices-access', secret: 'alices-secret' })
  const own = { type: 'ec2', user_id: alice.user_id, project_id: alice.id, blob }
  const made = await ask('POST', '', alice.token, own)
  assert.equal(made.status, 201)
  const mine = `/${made.body.credential.id}`
  const attempts: [string, string, string, object?][] = [
    ['PATCH', mine, alice.token, { user_id: bob.user_id }],
    ['PATCH', mine, alice.token, { project_id: bob.id }],
    ['PATCH', mine, alice.token, { blob: JSON.stringify({ access: 'a', secret: 's', trust_id: 'x' }) }],
    ['PATCH', mine, bob.token, { user_id: bob.user_id }],
    ['PATCH', mine, bob.token, { type: 'cert' }],
    ['GET', mine, bob.token],
    ['DELETE', mine, bob.token],
    ['POST', '', bob.token, own],
    ['POST', '', bob.token, { ...own, user_id: bob.user_id }],
  ]
  for (const [method, path, token, body] of attempts) {
    const { status } = await ask(method, path, token, body)
    assert.ok([400, 403, 409].includes(status), `${method} ${JSON.stringify(body)}: ${status}`)
  }
  assert.deepEqual((await ask('GET', '', bob.token)).body.credentials, [])
  assert.deepEqual((await ask('GET', `?user_id=${alice.user_id}`, bob.token)).body.credentials, [])
  const { credential } = (await ask('GET', mine, alice.token)).body
  assert.deepEqual({ user_id: credential.user_id, blob: credential.blob }, { user_id: alice.user_id, blob })
})
