/** Somebody whom only another knows logs in with the real client: by tokens of an OpenID provider, as a company's people do. */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCloud } from '../conformance/cloud.ts'
import { audience, openidProvider } from '../openid-provider.ts'
import { json, os, run } from './client.ts'

const skip = existsSync('/usr/bin/openstack') ? false : 'needs python3-openstackclient'

/** People and machines have a project each; operators read what admin has. */
const mapping = [
  {
    remote: [{ type: 'OIDC-sub' }, { type: 'OIDC-email' }, { type: 'OIDC-groups' }],
    local: [
      { user: { name: '{0}', email: '{1}' } },
      { groups: '{2}', domain: { name: 'Default' } },
      { projects: [{ name: '{0}-work', roles: [{ name: 'member' }] }] },
    ],
  },
  {
    remote: [
      { type: 'OIDC-client_id', any_one_of: ['cli'] },
      { type: 'OIDC-sub', any_one_of: ['cli'] },
      { type: 'OIDC-sub' },
    ],
    local: [{ user: { name: 'machine {0}' } }, { projects: [{ name: 'machines', roles: [{ name: 'member' }] }] }],
  },
]

test('people of an OpenID provider work in the cloud with the openstack client', {
  skip,
  timeout: 600_000,
}, async t => {
  await using company = await openidProvider()
  const provider = {
    issuer: company.issuer,
    client_id: 'nephos',
    client_secret: 'nephos-secret',
    audiences: [audience],
  }
  await using cloud = await startCloud({
    flags: ['--simulated'],
    settings: { identity: { federation: { openid: { company: provider } } } },
  })
  const admin = { OS_CLIENT_CONFIG_FILE: cloud.cloudsFile, OS_CLOUD: 'nephos-admin' }
  const rules = join(cloud.dir, 'rules.json')
  writeFileSync(rules, JSON.stringify(mapping))

  await t.test('the operator sets it up', async () => {
    await os(['identity', 'provider', 'create', '--remote-id', company.issuer, 'company'], admin)
    await os(['mapping', 'create', '--rules', rules, 'people'], admin)
    await os(
      ['federation', 'protocol', 'create', '--identity-provider', 'company', '--mapping', 'people', 'openid'],
      admin,
    )
    await os(['group', 'create', 'staff'], admin)
    await os(['role', 'add', '--group', 'staff', '--project', 'admin', 'reader'], admin)
  })

  const login = {
    OS_AUTH_URL: `${cloud.url}/identity/v3`,
    OS_IDENTITY_API_VERSION: '3',
    OS_IDENTITY_PROVIDER: 'company',
    OS_PROTOCOL: 'openid',
    OS_DISCOVERY_ENDPOINT: `${company.issuer}/.well-known/openid-configuration`,
    OS_CLIENT_ID: 'cli',
    OS_CLIENT_SECRET: 'cli-secret',
  }
  const person = (name: string) => ({ ...login, OS_AUTH_TYPE: 'v3oidcpassword', OS_USERNAME: name, OS_PASSWORD: name })

  await t.test(
    'with name and password: a first login makes what the mapping says, and a server runs there',
    async () => {
      const unscoped = await json<{ user_id: string; project_id?: string }>(['token', 'issue'], person('alice'))
      assert.equal(unscoped.project_id, undefined)
      const projects = await json<{ Name: string }[]>(['federation', 'project', 'list'], person('alice'))
      assert.deepEqual(projects.map(project => project.Name).sort(), ['admin', 'alice-work'])
      const found = await json<{ ID: string; Name: string }[]>(['project', 'list', '--long'], admin)
      const work = found.find(project => project.Name === 'alice-work')!.ID
      const alice = { ...person('alice'), OS_PROJECT_ID: work }
      const token = await json<{ project_id: string; user_id: string }>(['token', 'issue'], alice)
      assert.deepEqual([token.project_id, token.user_id], [work, unscoped.user_id])
      await os(['network', 'create', 'net'], alice)
      await os(['subnet', 'create', '--network', 'net', '--subnet-range', '10.9.0.0/24', 'sub'], alice)
      const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'net', '--wait', 'one']
      assert.equal((await json<{ status: string }>(create, alice)).status, 'ACTIVE')
      const shown = await json<{ user_id: string }>(['server', 'show', 'one'], alice)
      assert.equal(shown.user_id, unscoped.user_id)
    },
  )

  await t.test('the group gives what it has, and not more', async () => {
    const [project] = (await json<{ ID: string; Name: string }[]>(['project', 'list'], admin)).filter(
      one => one.Name === 'admin',
    )
    const bob = { ...person('bob'), OS_PROJECT_ID: project!.ID }
    await os(['server', 'list'], bob)
    const refused = await run('openstack', ['network', 'create', 'x'], bob)
    assert.notEqual(refused.code, 0)
    assert.match(refused.err, /403|Forbidden|disallowed/)
  })

  await t.test('with a token from elsewhere', async () => {
    const access = await company.token({ grant_type: 'password', username: 'bob', password: 'bob' })
    const { OS_CLIENT_ID: _id, OS_CLIENT_SECRET: _secret, OS_DISCOVERY_ENDPOINT: _discovery, ...rest } = login
    const bob = { ...rest, OS_AUTH_TYPE: 'v3oidcaccesstoken', OS_ACCESS_TOKEN: access }
    assert.ok((await json<{ user_id: string }>(['token', 'issue'], bob)).user_id)
    const wrong = await run('openstack', ['token', 'issue'], { ...bob, OS_ACCESS_TOKEN: `${access}x` })
    assert.match(wrong.err, /401/)
  })

  await t.test('a machine with its own credentials', async () => {
    const { ID } = (await json<{ ID: string; Name: string }[]>(['domain', 'list'], admin)).find(
      one => one.Name !== 'Default',
    )!
    const machine = {
      ...login,
      OS_AUTH_TYPE: 'v3oidcclientcredentials',
      OS_OPENID_SCOPE: 'openid',
      OS_PROJECT_NAME: 'machines',
      OS_PROJECT_DOMAIN_ID: ID,
    }
    assert.deepEqual(await json(['server', 'list'], machine), [])
  })

  await t.test('whom the mapping does not know gets 401, and everybody when the provider is disabled', async () => {
    const { OS_DISCOVERY_ENDPOINT: _discovery, ...rest } = login
    const access = await company.token({ grant_type: 'client_credentials' }, 'robot')
    const unknown = { ...rest, OS_AUTH_TYPE: 'v3oidcaccesstoken', OS_ACCESS_TOKEN: access }
    assert.match((await run('openstack', ['token', 'issue'], unknown)).err, /401/)
    await os(['identity', 'provider', 'set', '--disable', 'company'], admin)
    assert.match((await run('openstack', ['token', 'issue'], person('alice'))).err, /403|disabled/)
  })
})
