/** What an operator sets up for federation: identity providers, mappings, protocols, service providers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

const rules = [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'UserName' }] }]

async function operator(cloud: TestCloud) {
  const token = await cloud.login('admin')
  return <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, `/identity/v3/OS-FEDERATION${path}`, { token, ...(body !== undefined && { body }) })
}

onEachEngine('an identity provider has a domain, names of its own, and protocols with mappings', async database => {
  await using cloud = await testCloud({ database })
  const ask = await operator(cloud)
  const provider = { enabled: true, remote_ids: ['https://one', 'https://two'] }
  const made = await ask<{ identity_provider: { domain_id: string; remote_ids: string[]; links: object } }>(
    'PUT',
    '/identity_providers/acme',
    { identity_provider: provider },
  )
  assert.equal(made.status, 201, JSON.stringify(made.body))
  assert.deepEqual(made.body.identity_provider.remote_ids, provider.remote_ids)
  assert.deepEqual(Object.keys(made.body.identity_provider.links), ['self', 'protocols'])
  const { domain_id } = made.body.identity_provider
  const token = await cloud.login('admin')
  assert.equal((await cloud.request('GET', `/identity/v3/domains/${domain_id}`, { token })).status, 200)
  assert.equal((await ask('PUT', '/identity_providers/acme', { identity_provider: {} })).status, 409)
  const rival = { identity_provider: { remote_ids: ['https://two'] } }
  assert.equal((await ask('PUT', '/identity_providers/rival', rival)).status, 409)
  assert.equal((await ask('GET', '/identity_providers/rival')).status, 404)

  const patch = (change: object) => ask('PATCH', '/identity_providers/acme', { identity_provider: change })
  assert.equal((await patch({ domain_id: 'default' })).status, 400)
  assert.equal((await patch({ remote_ids: ['https://three'], enabled: false })).status, 200)
  assert.equal((await ask('PUT', '/identity_providers/rival', rival)).status, 201, 'a name that was given up')

  const protocol = '/identity_providers/acme/protocols/saml2'
  assert.equal((await ask('PUT', protocol, { protocol: { mapping_id: 'people' } })).status, 400)
  assert.equal((await ask('PUT', '/mappings/people', { mapping: { rules } })).status, 201)
  assert.equal((await ask('PUT', protocol, { protocol: { mapping_id: 'people' } })).status, 201)
  assert.equal((await ask('PUT', protocol, { protocol: { mapping_id: 'people' } })).status, 409)
  assert.equal((await ask('PATCH', protocol, { protocol: { mapping_id: 'nobody' } })).status, 400)
  assert.equal((await ask('PATCH', protocol, { protocol: { remote_id_attribute: 'ISS' } })).status, 200)
  const list = await ask<{ protocols: object[] }>('GET', '/identity_providers/acme/protocols')
  assert.equal(list.body.protocols.length, 1)
  assert.equal((await ask('DELETE', '/identity_providers/acme')).status, 204)
  assert.equal((await ask('GET', protocol)).status, 404)
})

test('mappings are looked at when they are made', async () => {
  await using cloud = await testCloud()
  const ask = await operator(cloud)
  const remote = [{ type: 'UserName' }]
  for (const wrong of [
    [],
    [{ local: [{ user: { name: '{0}' } }] }],
    [{ local: [{ user: { name: '{0}', hat: 'red' } }], remote }],
    [{ local: [{ group: { name: 'no domain' } }], remote }],
    [{ local: [], remote: [] }],
    [{ local: [], remote: [{ type: 'a', any_one_of: ['b'], whitelist: ['c'] }] }],
    [{ local: [], remote: [{ type: 'a', any_one_of: ['('], regex: true }] }],
  ]) {
    const { status } = await ask('PUT', '/mappings/wrong', { mapping: { rules: wrong } })
    assert.equal(status, 400, JSON.stringify(wrong))
  }
  assert.equal((await ask('PUT', '/mappings/right', { mapping: { rules, schema_version: '2.0' } })).status, 201)
  const changed = await ask<{ mapping: { rules: object[] } }>('PATCH', '/mappings/right', {
    mapping: { rules: [...rules, ...rules] },
  })
  assert.equal(changed.body.mapping.rules.length, 2)
  assert.equal((await ask('DELETE', '/mappings/right')).status, 204)
})

test('tokens tell of the clouds that a user may go to', async () => {
  await using cloud = await testCloud()
  const ask = await operator(cloud)
  const service_provider = { auth_url: 'https://other.test/auth', sp_url: 'https://other.test/sp' }
  assert.equal((await ask('PUT', '/service_providers/other', { service_provider })).status, 201)
  assert.equal((await ask('PUT', '/service_providers/bad', { service_provider: { auth_url: 'x' } })).status, 400)
  const told = async () => {
    const user = { name: 'demo', domain: { id: 'default' }, password: 'demo' }
    const auth = { identity: { methods: ['password'], password: { user } } }
    const issued = await cloud.request<{ token: { service_providers?: object[] } }>(
      'POST',
      '/identity/v3/auth/tokens',
      {
        body: { auth },
      },
    )
    return issued.body.token.service_providers
  }
  assert.equal(await told(), undefined)
  await ask('PATCH', '/service_providers/other', { service_provider: { enabled: true } })
  assert.deepEqual(await told(), [{ id: 'other', ...service_provider }])
  const member = await cloud.project('someone')
  assert.equal((await cloud.request('GET', '/identity/v3/OS-FEDERATION/service_providers', member)).status, 403)
  const projects = await cloud.request<{ projects: { id: string }[] }>(
    'GET',
    '/identity/v3/OS-FEDERATION/projects',
    member,
  )
  assert.deepEqual(
    projects.body.projects.map(project => project.id),
    [member.id],
  )
})
