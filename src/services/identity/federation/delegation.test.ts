/** What users of an identity provider leave behind: application credentials, tokens that others check. As long as they are vouched for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { audience, openidProvider } from '../../../../test/openid-provider.ts'

const provider = '/identity/v3/OS-FEDERATION/identity_providers/company'

/** Staff are members of demo by their group. */
async function federated(cloud: TestCloud): Promise<{ admin: string; demo: string }> {
  const admin = await cloud.login('admin')
  const ask = <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, path, { token: admin, ...(body !== undefined && { body }) })
  const rules = [
    {
      remote: [{ type: 'OIDC-sub' }, { type: 'OIDC-groups' }],
      local: [{ user: { name: '{0}' } }, { groups: '{1}', domain: { id: 'default' } }],
    },
  ]
  await ask('PUT', provider, { identity_provider: { enabled: true } })
  await ask('PUT', '/identity/v3/OS-FEDERATION/mappings/people', { mapping: { rules } })
  await ask('PUT', `${provider}/protocols/openid`, { protocol: { mapping_id: 'people' } })
  const group = await ask<{ group: { id: string } }>('POST', '/identity/v3/groups', {
    group: { name: 'staff', domain_id: 'default' },
  })
  const projects = await ask<{ projects: { id: string }[] }>('GET', '/identity/v3/projects?name=demo')
  const roles = await ask<{ roles: { id: string }[] }>('GET', '/identity/v3/roles?name=member')
  const demo = projects.body.projects[0]!.id
  await ask('PUT', `/identity/v3/projects/${demo}/groups/${group.body.group.id}/roles/${roles.body.roles[0]!.id}`)
  return { admin, demo }
}

test('an application credential works as long as the groups of the last login hold, and the provider is enabled', async () => {
  await using company = await openidProvider()
  const clock = virtualClock(Date.now())
  const settings = { issuer: company.issuer, client_id: 'nephos', audiences: [audience] }
  await using cloud = await testCloud({
    clock,
    set: [`identity.federation.openid=${JSON.stringify({ company: settings })}`, 'identity.token_provider=jws'],
  })
  const { admin, demo } = await federated(cloud)
  const bearer = await company.token({ grant_type: 'password', username: 'bob', password: 'bob' })
  const login = async () => {
    const headers = { authorization: `Bearer ${bearer}` }
    const answer = await cloud.request<{ token: { user: { id: string } } }>(
      'POST',
      `${provider}/protocols/openid/auth`,
      { headers },
    )
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    return { token: answer.headers['x-subject-token']!, user: answer.body.token.user.id }
  }
  const authenticate = (identity: object, scope?: object) =>
    cloud.request<{ token: { user: object } }>('POST', '/identity/v3/auth/tokens', {
      body: { auth: { identity, ...(scope && { scope }) } },
    })
  const bob = await login()
  assert.equal(bob.token.split('.').length, 3, 'signed')
  const scoped = await authenticate({ methods: ['token'], token: { id: bob.token } }, { project: { id: demo } })
  assert.ok('OS-FEDERATION' in scoped.body.token.user)
  const made = await cloud.request<{ application_credential: { id: string; secret: string } }>(
    'POST',
    `/identity/v3/users/${bob.user}/application_credentials`,
    { token: scoped.headers['x-subject-token']!, body: { application_credential: { name: 'robot' } } },
  )
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { id, secret } = made.body.application_credential
  const robot = async () => {
    const answer = await authenticate({ methods: ['application_credential'], application_credential: { id, secret } })
    if (answer.status === 201) assert.equal('OS-FEDERATION' in answer.body.token.user, false)
    return answer.status
  }
  assert.equal(await robot(), 201)
  const enable = (enabled: boolean) =>
    cloud.request('PATCH', provider, { token: admin, body: { identity_provider: { enabled } } })
  await enable(false)
  assert.equal(await robot(), 401, 'nobody vouches for it')
  await enable(true)
  assert.equal(await robot(), 201)

  await cloud.request('PATCH', provider, {
    token: admin,
    body: { identity_provider: { authorization_ttl: 60 * 48 } },
  })
  await login()
  await clock.advance(47 * 3_600_000)
  assert.equal(await robot(), 201, 'still within the hours of the identity provider')
  await clock.advance(2 * 3_600_000)
  assert.equal(await robot(), 401, 'the groups have ended')
})
