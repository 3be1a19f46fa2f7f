/** Logging in with tokens of a real OpenID provider: who gets in, as whom, with which rights, and until when. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { generateKeyPair, SignJWT } from 'jose'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestCloudOptions, testCloud } from '../../../../test/harness.ts'
import { audience, type OpenidProvider, openidProvider } from '../../../../test/openid-provider.ts'

let company: OpenidProvider
before(async () => {
  company = await openidProvider()
})
after(() => company[Symbol.asyncDispose]())

const auth = '/identity/v3/OS-FEDERATION/identity_providers/company/protocols/openid/auth'

interface Token {
  token: {
    methods: string[]
    user: {
      id: string
      name: string
      domain: { id: string }
      password_expires_at?: null
      'OS-FEDERATION'?: { groups: { id: string }[]; identity_provider: { id: string }; protocol: { id: string } }
    }
    project?: { id: string; name: string }
    roles?: { name: string }[]
    expires_at: string
  }
}

const settings = (more: object = {}, issuer = company.issuer) =>
  `identity.federation.openid=${JSON.stringify({
    company: { issuer, client_id: 'nephos', client_secret: 'nephos-secret', audiences: [audience], ...more },
  })}`

/** Staff may read, operators are members of a project that is there; everybody has a project of their own. */
const rules = [
  {
    remote: [{ type: 'OIDC-sub' }, { type: 'OIDC-email' }, { type: 'HTTP_OIDC_GROUPS' }],
    local: [
      { user: { name: '{0}', email: '{1}' } },
      { groups: '{2}', domain: { id: 'default' } },
      { projects: [{ name: "{0}'s", roles: [{ name: 'member' }] }] },
    ],
  },
]

async function federated(options: TestCloudOptions = {}, more: object = {}, mapping: object[] = rules) {
  const cloud = await testCloud({ ...options, set: [settings(more)] })
  const token = await cloud.login('admin')
  const ask = <T>(method: string, path: string, body?: unknown) =>
    cloud.request<T>(method, `/identity/v3${path}`, { token, ...(body !== undefined && { body }) })
  const group = async (name: string) =>
    (await ask<{ group: { id: string } }>('POST', '/groups', { group: { name, domain_id: 'default' } })).body.group.id
  const groups = { staff: await group('staff'), operators: await group('operators') }
  const made = [
    await ask('PUT', '/OS-FEDERATION/identity_providers/company', {
      identity_provider: { enabled: true, remote_ids: [company.issuer] },
    }),
    await ask('PUT', '/OS-FEDERATION/mappings/people', { mapping: { rules: mapping } }),
    await ask('PUT', '/OS-FEDERATION/identity_providers/company/protocols/openid', {
      protocol: { mapping_id: 'people' },
    }),
  ]
  for (const { status, body } of made) assert.equal(status, 201, JSON.stringify(body))
  return { cloud, ask, groups }
}

function show(cloud: TestCloud, bearer: string | undefined, method = 'POST') {
  const headers: Record<string, string> = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
  return cloud.request<Token>(method, auth, { headers })
}

const tokenOf = (person: string, client = 'cli') =>
  company.token({ grant_type: 'password', username: person, password: person }, client)

async function login(cloud: TestCloud, person: string, client?: string) {
  const { status, headers, body } = await show(cloud, await tokenOf(person, client))
  assert.equal(status, 201, JSON.stringify(body))
  return { id: headers['x-subject-token']!, ...body.token }
}

async function rescope(cloud: TestCloud, id: string, scope: object) {
  const auth = { identity: { methods: ['token'], token: { id } }, scope }
  const answer = await cloud.request<Token>('POST', '/identity/v3/auth/tokens', { body: { auth } })
  return { ...answer, id: answer.headers['x-subject-token']! }
}

onEachEngine('a token of the provider becomes an unscoped token here, and that one for a project', async database => {
  const { cloud, ask, groups } = await federated({ database })
  await using _cloud = cloud
  const alice = await login(cloud, 'alice')
  assert.deepEqual(alice.methods, ['openid'])
  assert.equal(alice.user.name, 'alice')
  assert.equal('password_expires_at' in alice.user, false)
  assert.deepEqual(alice.user['OS-FEDERATION'], {
    groups: Object.values(groups)
      .sort()
      .map(id => ({ id })),
    identity_provider: { id: 'company' },
    protocol: { id: 'openid' },
  })
  assert.equal(alice.project, undefined)

  const { body } = await cloud.request<{ projects: { id: string; name: string }[] }>(
    'GET',
    '/identity/v3/OS-FEDERATION/projects',
    { token: alice.id },
  )
  assert.deepEqual(
    body.projects.map(project => project.name),
    ["alice's"],
  )
  const scoped = await rescope(cloud, alice.id, { project: { id: body.projects[0]!.id } })
  assert.equal(scoped.status, 201)
  assert.deepEqual(scoped.body.token.methods.sort(), ['openid', 'token'])
  assert.ok(scoped.body.token.roles!.some(role => role.name === 'member'))
  assert.equal(scoped.body.token.expires_at, alice.expires_at)
  assert.equal(scoped.body.token.user['OS-FEDERATION']?.identity_provider.id, 'company')
  assert.equal((await cloud.request('GET', '/compute/v2.1/flavors', { token: scoped.id })).status, 200)

  const again = await login(cloud, 'alice')
  assert.equal(again.user.id, alice.user.id, 'the same user')
  const user = await ask<{ user: { email: string; domain_id: string } }>('GET', `/users/${alice.user.id}`)
  assert.equal(user.body.user.email, 'alice@example.com')
})

test('groups give rights as long as the provider says so, and no longer', async () => {
  const { cloud, ask, groups } = await federated()
  await using _cloud = cloud
  const demo = (await ask<{ projects: { id: string }[] }>('GET', '/projects?name=demo')).body.projects[0]!.id
  const reader = (await ask<{ roles: { id: string }[] }>('GET', '/roles?name=reader')).body.roles[0]!.id
  await ask('PUT', `/projects/${demo}/groups/${groups.operators}/roles/${reader}`)
  const alice = await login(cloud, 'alice')
  const scoped = await rescope(cloud, alice.id, { project: { id: demo } })
  assert.equal(scoped.status, 201)
  assert.equal((await rescope(cloud, (await login(cloud, 'bob')).id, { project: { id: demo } })).status, 401)
  const usable = async (token: string) => (await cloud.request('GET', '/identity/v3/auth/projects', { token })).status
  assert.equal(await usable(scoped.id), 200)
  company.people.alice!.groups = ['staff']
  try {
    const later = await login(cloud, 'alice')
    assert.equal((await rescope(cloud, later.id, { project: { id: demo } })).status, 401)
    assert.equal(await usable(scoped.id), 401, 'what the lost group gave is gone')
  } finally {
    company.people.alice!.groups = ['staff', 'operators']
  }
  const back = await login(cloud, 'alice')
  const regained = await rescope(cloud, back.id, { project: { id: demo } })
  assert.equal(regained.status, 201)
  await ask('DELETE', `/groups/${groups.operators}`)
  assert.equal(await usable(regained.id), 401, 'the group is deleted')
})

test('a login that changes nothing leaves every process its memory', async () => {
  const { cloud } = await federated()
  await using _cloud = cloud
  await login(cloud, 'bob')
  const generation = async () =>
    (await cloud.ctx().db.selectFrom('identity_generation').select('value').executeTakeFirstOrThrow()).value
  const first = await generation()
  await login(cloud, 'bob')
  assert.equal(await generation(), first)
})

test('a token that is not signed is looked up at the provider', async () => {
  const { cloud } = await federated()
  await using _cloud = cloud
  const bob = await login(cloud, 'bob', 'robot')
  assert.equal(bob.user.name, 'bob')
  assert.equal((await show(cloud, 'nobody-knows-this-one')).status, 401)
})

test('with introspection, signed tokens are too', async () => {
  const { cloud } = await federated({}, { introspection: true })
  await using _cloud = cloud
  assert.equal((await login(cloud, 'bob', 'robot')).user.name, 'bob')
  // The provider knows nothing of signed tokens that it has given away: it says that none is active.
  assert.equal((await show(cloud, await tokenOf('bob'))).status, 401)
})

test('whoever the mapping does not know stays outside', async () => {
  const { cloud } = await federated()
  await using _cloud = cloud
  const machine = await company.token({ grant_type: 'client_credentials' })
  const { status, body } = await show(cloud, machine)
  assert.equal(status, 401)
  assert.match(JSON.stringify(body), /Could not map any federated user properties/)
})

test('a mapping may name a user of this cloud, who stays one', async () => {
  const local = [
    {
      remote: [{ type: 'OIDC-sub', any_one_of: ['alice'] }],
      local: [{ user: { name: 'demo', type: 'local', domain: { id: 'default' } } }],
    },
  ]
  const { cloud } = await federated({}, {}, local)
  await using _cloud = cloud
  const alice = await login(cloud, 'alice')
  assert.equal(alice.user.name, 'demo')
  assert.equal(alice.user['OS-FEDERATION'], undefined)
  assert.equal((await show(cloud, await tokenOf('bob'))).status, 401)
})

test('a user of the provider is nobody else of the same name', async () => {
  const named = [{ remote: [{ type: 'OIDC-sub' }], local: [{ user: { name: 'demo', domain: { id: 'default' } } }] }]
  const { cloud } = await federated({}, {}, named)
  await using _cloud = cloud
  const stranger = await login(cloud, 'bob')
  assert.equal(stranger.user.name, 'demo')
  assert.equal(stranger.user.domain.id, 'default')
  const demo = await cloud.login('demo')
  const { body } = await cloud.request<Token>('GET', '/identity/v3/auth/tokens', {
    token: demo,
    headers: { 'x-subject-token': demo },
  })
  assert.notEqual(body.token.user.id, stranger.user.id)
  assert.equal(
    (await rescope(cloud, stranger.id, { project: { name: 'demo', domain: { id: 'default' } } })).status,
    401,
  )
})

test('closing the way ends the tokens of all who came by it', async () => {
  const { cloud, ask } = await federated()
  await using _cloud = cloud
  const provider = '/OS-FEDERATION/identity_providers/company'
  const usable = async (token: string) => (await cloud.request('GET', '/identity/v3/auth/projects', { token })).status
  const enable = (enabled: boolean) => ask('PATCH', provider, { identity_provider: { enabled } })
  let token = (await login(cloud, 'bob')).id
  await enable(false)
  assert.equal(await usable(token), 401)
  const refused = await show(cloud, await tokenOf('bob'))
  assert.equal(refused.status, 403)
  assert.match(JSON.stringify(refused.body), /Identity Provider company is disabled/)
  await enable(true)
  assert.equal(await usable(token), 401, 'what was ended stays so')

  token = (await login(cloud, 'bob')).id
  await ask('DELETE', '/OS-FEDERATION/mappings/people')
  assert.equal(await usable(token), 401)
  await ask('PUT', '/OS-FEDERATION/mappings/people', { mapping: { rules } })

  const before = await login(cloud, 'bob')
  await ask('DELETE', `${provider}/protocols/openid`)
  assert.equal(await usable(before.id), 401)
  assert.equal((await show(cloud, await tokenOf('bob'))).status, 404)
  await ask('PUT', `${provider}/protocols/openid`, { protocol: { mapping_id: 'people' } })
  const later = await login(cloud, 'bob')
  assert.notEqual(later.user.id, before.user.id, 'who comes by another way of the same name is somebody else')
  await ask('DELETE', provider)
  assert.equal(await usable(later.id), 401)
})

test('a provider that calls itself by another name is refused', async () => {
  const { cloud, ask } = await federated()
  await using _cloud = cloud
  await ask('PATCH', '/OS-FEDERATION/identity_providers/company', {
    identity_provider: { remote_ids: ['https://elsewhere'] },
  })
  const { status, body } = await show(cloud, await tokenOf('bob'))
  assert.equal(status, 403)
  assert.match(JSON.stringify(body), /not included among the accepted identifiers/)
})

test('tokens that prove nothing: meant for others, of others, over, unsigned, absent', async () => {
  const { cloud } = await federated()
  await using _cloud = cloud
  const stranger = await company.token({ grant_type: 'client_credentials' }, 'stranger')
  assert.equal((await show(cloud, stranger)).status, 401)
  const good = await tokenOf('bob')
  const [header, payload, signature] = good.split('.') as [string, string, string]
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const coded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { privateKey } = await generateKeyPair('RS256')
  const forged = (more: object, alg = 'RS256') =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg, kid: 'one' }).sign(privateKey)
  const shared = new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from('nephos-secret'.repeat(3)))
  for (const [what, token] of Object.entries({
    'another key': await forged({}),
    'another issuer': await forged({ iss: 'https://elsewhere' }),
    'no signature': `${coded({ alg: 'none' })}.${payload}.`,
    'no signature, called signed': `${coded({ alg: 'none' })}.${payload}.${signature}`,
    'a shared secret': await shared,
    'changed claims': `${header}.${coded({ ...claims, sub: 'alice' })}.${signature}`,
    'not a token': 'a.b.c',
    'too long': `${header}.${'A'.repeat(20_000)}.${signature}`,
  })) {
    assert.equal((await show(cloud, token)).status, 401, what)
  }
  const none = await show(cloud, undefined)
  assert.equal(none.status, 401)
  assert.equal((await show(cloud, good, 'GET')).status, 201, 'and a good one by GET')
})

test('what identity providers are not set up for is said', async () => {
  const { cloud, ask } = await federated()
  await using _cloud = cloud
  assert.equal((await cloud.request('POST', auth.replace('company', 'nobody'))).status, 404)
  assert.equal((await cloud.request('POST', auth.replace('openid', 'kerberos'))).status, 404)
  const path = '/OS-FEDERATION/identity_providers/company/protocols/kerberos'
  await ask('PUT', path, { protocol: { mapping_id: 'people' } })
  const { status, body } = await cloud.request('POST', `/identity/v3${path}/auth`)
  assert.equal(status, 501)
  assert.match(JSON.stringify(body), /identity\.federation/)
})

/** A provider that misbehaves. */
async function broken(answer: (issuer: string) => { status?: number; headers?: Record<string, string>; body: string }) {
  const server: Server = createServer((_request, reply) => {
    const { status = 200, headers = {}, body } = answer(issuer)
    reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}

test('a provider that is down, redirects, floods or lies is a 503, and nobody gets in', async () => {
  for (const answer of [
    () => ({ status: 500, body: '{}' }),
    () => ({ status: 302, headers: { location: `${company.issuer}/.well-known/openid-configuration` }, body: '' }),
    () => ({ body: ' '.repeat(2 * 1024 * 1024) }),
    () => ({ body: JSON.stringify({ issuer: company.issuer, jwks_uri: `${company.issuer}/jwks` }) }),
    (issuer: string) => ({ body: JSON.stringify({ issuer }) }),
  ]) {
    await using provider = await broken(answer)
    const { cloud } = await federated({}, { issuer: provider.issuer })
    await using _cloud = cloud
    const { status } = await show(cloud, await tokenOf('bob'))
    assert.equal(status, 503)
  }
})

test('in version 3 of mappings, roles that the provider takes away are taken away', async () => {
  const all = [
    {
      remote: [{ type: 'OIDC-sub' }, { type: 'OIDC-groups' }],
      local: [{ user: { name: '{0}' } }, { projects: [{ name: '{1}', roles: [{ name: 'member' }] }] }],
    },
  ]
  const { cloud, ask } = await federated({}, {}, all)
  await using _cloud = cloud
  await ask('PATCH', '/OS-FEDERATION/mappings/people', { mapping: { schema_version: '3.0' } })
  const projectsOf = async (id: string) =>
    (
      await cloud.request<{ projects: { id: string; name: string }[] }>('GET', '/identity/v3/auth/projects', {
        token: id,
      })
    ).body.projects
  company.people.bob!.groups = ['blue']
  try {
    const bob = await login(cloud, 'bob')
    const [blue] = await projectsOf(bob.id)
    assert.equal(blue!.name, 'blue')
    const scoped = await rescope(cloud, bob.id, { project: { id: blue!.id } })
    company.people.bob!.groups = ['red']
    const later = await login(cloud, 'bob')
    assert.deepEqual(
      (await projectsOf(later.id)).map(project => project.name),
      ['red'],
    )
    assert.equal((await cloud.request('GET', '/identity/v3/auth/projects', { token: scoped.id })).status, 401)
  } finally {
    company.people.bob!.groups = ['staff']
  }
})
