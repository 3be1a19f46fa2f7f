/** Configuration of domains. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

const config = {
  identity: { driver: 'ldap' },
  ldap: { url: 'ldap://one', user_tree_dn: 'ou=Users', password: 'hidden' },
}

async function domain(cloud: TestCloud) {
  const token = await cloud.login('admin')
  const ask = (method: string, path: string, body?: unknown) =>
    cloud.request<{ config: Record<string, Record<string, unknown>> }>(method, `/identity/v3/domains${path}`, {
      token,
      ...(body !== undefined && { body }),
    })
  const made = await cloud.request<{ domain: { id: string } }>('POST', '/identity/v3/domains', {
    token,
    body: { domain: { name: 'elsewhere' } },
  })
  return { ask, at: `/${made.body.domain.id}/config` }
}

onEachEngine('is set, shown without its secrets, changed and deleted, whole and in parts', async database => {
  await using cloud = await testCloud({ database })
  const { ask, at } = await domain(cloud)
  assert.equal((await ask('GET', at)).status, 404)
  assert.equal((await ask('PUT', at, { config })).status, 201)
  assert.equal((await ask('PUT', at, { config })).status, 200)
  const shown = { identity: { driver: 'ldap' }, ldap: { url: 'ldap://one', user_tree_dn: 'ou=Users' } }
  assert.deepEqual((await ask('GET', at)).body.config, shown)
  assert.deepEqual((await ask('GET', `${at}/ldap`)).body.config, { ldap: shown.ldap })
  assert.deepEqual((await ask('GET', `${at}/ldap/url`)).body.config, { url: 'ldap://one' })
  assert.equal((await ask('GET', `${at}/ldap/password`)).status, 404)

  const changed = await ask('PATCH', `${at}/ldap`, { config: { ldap: { url: 'ldap://two' } } })
  assert.deepEqual(changed.body.config.ldap, { url: 'ldap://two', user_tree_dn: 'ou=Users' })
  const option = await ask('PATCH', `${at}/ldap/url`, { config: { url: 'ldap://three' } })
  assert.equal(option.body.config.ldap?.url, 'ldap://three')
  assert.equal((await ask('DELETE', `${at}/ldap/url`)).status, 204)
  assert.equal((await ask('GET', `${at}/ldap/url`)).status, 404)
  assert.equal((await ask('DELETE', `${at}/ldap/url`)).status, 404)
  assert.equal((await ask('DELETE', at)).status, 204)
  assert.equal((await ask('GET', at)).status, 404)
})

test('only known groups and options are taken, and an update says what it is about', async () => {
  await using cloud = await testCloud()
  const { ask, at } = await domain(cloud)
  for (const wrong of [{}, { token: { expiration: 1 } }, { ldap: {} }, { ldap: 'x' }, { ldap: { colour: 1 } }]) {
    assert.equal((await ask('PUT', at, { config: wrong })).status, 403, JSON.stringify(wrong))
  }
  await ask('PUT', at, { config })
  assert.equal((await ask('PATCH', `${at}/identity`, { config: { ldap: { url: 'x' } } })).status, 403)
  assert.equal((await ask('PATCH', `${at}/ldap/url`, { config: { user_tree_dn: 'x' } })).status, 403)
  assert.equal((await ask('PATCH', `${at}/ldap/suffix`, { config: { suffix: 'x' } })).status, 404)
  assert.equal((await ask('GET', '/nowhere/config')).status, 404)
})

test('defaults, and the rules of passwords that all may read', async () => {
  const set = ['identity.password_regex=^.{8,}$', 'identity.password_regex_description=eight letters']
  await using cloud = await testCloud({ set })
  const { ask } = await domain(cloud)
  assert.ok('ldap' in (await ask('GET', '/config/default')).body.config)
  assert.deepEqual((await ask('GET', '/config/identity/default')).body.config, {
    identity: { driver: 'sql', list_limit: null },
  })
  assert.deepEqual((await ask('GET', '/config/identity/driver/default')).body.config, { driver: 'sql' })
  assert.equal((await ask('GET', '/config/ldap/password/default')).status, 403)
  const member = await cloud.project('someone')
  const rules = await cloud.request('GET', '/identity/v3/domains/default/config/security_compliance', member)
  assert.deepEqual(rules.body, {
    config: {
      security_compliance: { password_regex: '^.{8,}$', password_regex_description: 'eight letters' },
    },
  })
  assert.equal((await cloud.request('GET', '/identity/v3/domains/default/config/ldap', member)).status, 403)
})
