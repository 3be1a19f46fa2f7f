/** Logging in, the token's body, and how a token ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

interface TokenBody {
  token: {
    methods: string[]
    user: { id: string; name: string; domain: { id: string; name: string }; password_expires_at: null }
    project?: { id: string; name: string; domain: { id: string; name: string } }
    domain?: { id: string; name: string }
    system?: { all: boolean }
    roles?: { id: string; name: string }[]
    catalog?: { type: string; endpoints: { interface: string; url: string; region: string }[] }[]
    audit_ids: string[]
    expires_at: string
    issued_at: string
  }
}

const passwordOf = (name: string, password = name) => ({
  methods: ['password'],
  password: { user: { name, domain: { name: 'Default' }, password } },
})

function logIn(cloud: TestCloud, identity: unknown, scope?: unknown) {
  return cloud.request<TokenBody>('POST', '/identity/v3/auth/tokens', { body: { auth: { identity, scope } } })
}

onEachEngine('a password gives a token for a project, with roles and catalog', async database => {
  await using cloud = await testCloud({ database })
  const scope = { project: { name: 'demo', domain: { id: 'default' } } }
  const { status, headers, body } = await logIn(cloud, passwordOf('demo'), scope)
  assert.equal(status, 201)
  assert.ok(headers['x-subject-token']!.length < 255)
  assert.equal(headers.vary, 'X-Auth-Token')
  const { token } = body
  assert.deepEqual(token.methods, ['password'])
  assert.deepEqual(token.project?.name, 'demo')
  assert.deepEqual(token.project?.domain, { id: 'default', name: 'Default' })
  assert.deepEqual(token.user.domain, { id: 'default', name: 'Default' })
  assert.deepEqual(
    token.roles?.map(role => role.name),
    ['member', 'reader'],
  )
  assert.match(token.expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  assert.equal(Date.parse(token.expires_at) - Date.parse(token.issued_at), 86_400_000)
  const identity = token.catalog?.find(entry => entry.type === 'identity')
  assert.deepEqual(identity?.endpoints.map(e => e.interface).sort(), ['admin', 'internal', 'public'])
  assert.equal(identity?.endpoints[0]?.url, 'http://cloud.test/identity')
})

test('the catalog points to the address by which the caller came', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('demo')
  const { body } = await cloud.request<{ catalog: { endpoints: { url: string }[] }[] }>(
    'GET',
    '/identity/v3/auth/catalog',
    { token, headers: { host: 'other.example:8080' } },
  )
  const urls = body.catalog.flatMap(entry => entry.endpoints.map(e => e.url))
  assert.ok(urls.includes('http://other.example:8080/identity'))
})

test('scopes: system, domain, none; and a user without rights there gets none of them', async () => {
  await using cloud = await testCloud()
  const system = await logIn(cloud, passwordOf('admin'), { system: { all: true } })
  assert.deepEqual(system.body.token.system, { all: true })
  const none = await logIn(cloud, passwordOf('admin'), 'unscoped')
  assert.equal(none.status, 201)
  assert.equal(none.body.token.catalog, undefined)
  assert.equal(none.body.token.roles, undefined)
  for (const scope of [
    { system: { all: true } },
    { domain: { id: 'default' } },
    { project: { name: 'admin', domain: { id: 'default' } } },
    { project: { name: 'nothing', domain: { id: 'default' } } },
  ]) {
    assert.equal((await logIn(cloud, passwordOf('demo'), scope)).status, 401, JSON.stringify(scope))
  }
})

test('wrong password, unknown user and unknown domain get the same answer', async () => {
  await using cloud = await testCloud()
  const answers = [
    await logIn(cloud, passwordOf('demo', 'wrong')),
    await logIn(cloud, passwordOf('nobody')),
    await logIn(cloud, { methods: ['password'], password: { user: { id: 'f'.repeat(32), password: 'x' } } }),
    await logIn(cloud, {
      methods: ['password'],
      password: { user: { name: 'demo', domain: { name: 'nowhere' }, password: 'demo' } },
    }),
  ]
  for (const { status, body } of answers) {
    assert.equal(status, 401)
    assert.deepEqual(body, {
      error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' },
    })
  }
})

test('a token gives another token, which ends no later and remembers the chain', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const first = await logIn(cloud, passwordOf('admin'))
  await clock.advance(3_600_000)
  const next = await logIn(
    cloud,
    { methods: ['token'], token: { id: first.headers['x-subject-token'] } },
    { system: { all: true } },
  )
  assert.equal(next.status, 201)
  assert.equal(next.body.token.expires_at, first.body.token.expires_at)
  assert.deepEqual(next.body.token.methods, ['token', 'password'])
  assert.equal(next.body.token.audit_ids[1], first.body.token.audit_ids[0])
  assert.notEqual(next.body.token.audit_ids[0], first.body.token.audit_ids[0])
})

test('a token ends when its time is over; a service may look at it for a while longer', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock })
  const old = await cloud.login('demo')
  assert.ok(await cloud.env.authenticate(old))
  await clock.advance(86_399_999)
  assert.ok(await cloud.env.authenticate(old))
  await clock.advance(1)
  assert.equal(await cloud.env.authenticate(old), undefined)

  const look = async (token: string) =>
    (
      await cloud.request('GET', '/identity/v3/auth/tokens?allow_expired=1', {
        token,
        headers: { 'x-subject-token': old },
      })
    ).status
  assert.equal(await look((await cloud.project('nova', 'service')).token), 200)
  assert.equal(await look(await cloud.login('admin')), 404)
  await clock.advance(172_800_000)
  assert.equal(await look((await cloud.project('nova', 'service')).token), 404)
})

test('checking a token again costs no query', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const token = await cloud.login('demo')
  await cloud.env.authenticate(token)
  const before = cloud.env.database.statements()
  const identity = await cloud.env.authenticate(token)
  assert.equal(identity?.user_name, 'demo')
  assert.equal(cloud.env.database.statements(), before)
})

test('showing a token again costs no query, a login with a password six', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const [admin, token] = [await cloud.login('admin'), await cloud.login('demo')]
  const show = () =>
    cloud.request('GET', '/identity/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })
  const cost = async (act: () => Promise<unknown>) => {
    const before = cloud.env.database.statements()
    await act()
    return cloud.env.database.statements() - before
  }
  await show()
  assert.equal(await cost(show), 0)
  const scope = { project: { name: 'demo', domain: { id: 'default' } } }
  assert.ok((await cost(() => cloud.login('demo', scope))) <= 6)
  await cloud.request('DELETE', '/identity/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token } })
  assert.equal((await show()).status, 404)
})

onEachEngine('checking a token for the first time costs two statements, whatever it is for', async database => {
  await using cloud = await testCloud({ clock: virtualClock(), database })
  const admin = await cloud.login('admin')
  const ask = async (method: string, path: string, body?: object) =>
    (
      await cloud.request<Record<string, { id: string; secret: string }>>(method, `/identity/v3/${path}`, {
        token: admin,
        body,
      })
    ).body
  const { id, user_id, token } = await cloud.project('outer')
  const inner = (await ask('POST', 'projects', { project: { name: 'inner', parent_id: id } })).project!.id
  const roles = (await ask('GET', 'roles?name=member')).roles as unknown as { id: string }[]
  const role = roles[0]!.id
  await ask('PUT', `OS-INHERIT/projects/${id}/users/${user_id}/roles/${role}/inherited_to_projects`)
  const made = await cloud.request<{ application_credential: { id: string; secret: string } }>(
    'POST',
    `/identity/v3/users/${user_id}/application_credentials`,
    { token, body: { application_credential: { name: 'robot' } } },
  )
  const { id: robot, secret } = made.body.application_credential
  const identity = { methods: ['application_credential'], application_credential: { id: robot, secret } }
  const tokens = {
    project: await cloud.login('outer'),
    'project below': await cloud.login('outer', { project: { id: inner } }),
    system: await cloud.login('admin', { system: { all: true } }),
    unscoped: await cloud.login('outer', 'unscoped'),
    'application credential': (await logIn(cloud, identity)).headers['x-subject-token']!,
  }
  // What all tokens share is read when something has changed: roles and keys.
  await cloud.env.authenticate(await cloud.login('demo'))
  for (const [what, one] of Object.entries(tokens)) {
    const before = cloud.env.database.statements()
    assert.ok(await cloud.env.authenticate(one), what)
    assert.ok(cloud.env.database.statements() - before <= 2, `${what}: ${cloud.env.database.statements() - before}`)
  }
})

test('a revoked token is refused from the next request on, and others stay', async () => {
  await using cloud = await testCloud()
  const [gone, other] = [await cloud.login('demo'), await cloud.login('demo')]
  const subject = { token: gone, headers: { 'x-subject-token': gone } }
  assert.equal((await cloud.request('GET', '/identity/v3/auth/tokens', subject)).status, 200)
  assert.equal((await cloud.request('HEAD', '/identity/v3/auth/tokens', subject)).status, 200)
  assert.equal((await cloud.request('DELETE', '/identity/v3/auth/tokens', subject)).status, 204)
  assert.equal((await cloud.request('GET', '/identity/v3/auth/tokens', subject)).status, 401)
  const asked = { token: await cloud.login('admin'), headers: { 'x-subject-token': gone } }
  assert.equal((await cloud.request('GET', '/identity/v3/auth/tokens', asked)).status, 404)
  assert.ok(await cloud.env.authenticate(other))
})

test("a member may not look at others' tokens", async () => {
  await using cloud = await testCloud()
  const { status, body } = await cloud.request<{ error: { message: string } }>('GET', '/identity/v3/auth/tokens', {
    token: await cloud.login('demo'),
    headers: { 'x-subject-token': await cloud.login('admin') },
  })
  assert.equal(status, 403)
  assert.equal(body.error.message, 'You are not authorized to perform the requested action: identity:validate_token.')
})

test('a token that is revoked takes those made from it along, unless told to spare them', async () => {
  await using cloud = await testCloud()
  const again = async (id: string) => {
    const answer = await logIn(cloud, { methods: ['token'], token: { id } })
    assert.equal(answer.status, 201)
    return answer.headers['x-subject-token']!
  }
  for (const [query, spared] of [
    ['', false],
    ['?cascade=false', true],
  ] as const) {
    const first = await cloud.login('demo')
    const second = await again(first)
    const third = await again(second)
    const subject = { token: first, headers: { 'x-subject-token': first } }
    assert.equal((await cloud.request('DELETE', `/identity/v3/auth/tokens${query}`, subject)).status, 204)
    assert.equal(await cloud.env.authenticate(first), undefined)
    for (const derived of [second, third]) {
      assert.equal((await cloud.env.authenticate(derived)) !== undefined, spared, `${query} ${derived}`)
    }
  }
})

test('the catalog is that of a project', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('admin', { system: { all: true } })
  const answer = await cloud.request('GET', '/identity/v3/auth/catalog', { token })
  assert.equal(answer.status, 403)
})

test('only the ways to prove who one is that there are', async () => {
  await using cloud = await testCloud()
  const scope = { project: { name: 'admin', domain: { id: 'default' } } }
  for (const name of ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'telepathy', '']) {
    const { status, headers } = await logIn(cloud, { methods: [name] }, scope)
    assert.equal(status, 401, name)
    assert.equal(headers['x-subject-token'], undefined)
  }
})

test('a token that is no more is not found, whoever asks', async () => {
  await using cloud = await testCloud()
  const [gone, other] = [await cloud.login('demo'), await cloud.login('demo')]
  const about = (method: string, token: string) =>
    cloud.request(method, '/identity/v3/auth/tokens', { token, headers: { 'x-subject-token': gone } })
  assert.equal((await about('DELETE', other)).status, 204)
  for (const method of ['HEAD', 'GET', 'DELETE']) assert.equal((await about(method, other)).status, 404, method)
  assert.equal((await logIn(cloud, { methods: ['token'], token: { id: gone } })).status, 404)
})
