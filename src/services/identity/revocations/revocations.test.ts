/** Every way in which a token ends before its time; attack cases 11, 12 and 23. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { systemCtx } from '#kernel/context.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestProject, testCloud } from '../../../../test/harness.ts'
import { rotateTokenKeys } from '../keys/key.ts'
import { keys } from '../keys/store.ts'
import { checkPassword, hashPassword } from '../password.ts'

async function admin(cloud: TestCloud) {
  const token = await cloud.login('admin')
  return async (method: string, path: string, body?: unknown) => {
    const answer = await cloud.request<Record<string, never>>(method, `/identity/v3/${path}`, { token, body })
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
}

async function roleId(cloud: TestCloud, name: string): Promise<string> {
  const token = await cloud.login('admin')
  const { body } = await cloud.request<{ roles: { id: string }[] }>('GET', `/identity/v3/roles?name=${name}`, { token })
  return body.roles[0]!.id
}

async function status(cloud: TestCloud, token: string): Promise<number> {
  return (await cloud.request('GET', '/identity/v3/auth/catalog', { token })).status
}

type Ask = Awaited<ReturnType<typeof admin>>

/** What takes a member's token, by name; each acts on a fresh project. */
const ends: Record<string, (ask: Ask, member: TestProject, cloud: TestCloud) => Promise<unknown>> = {
  'the user is disabled': (ask, { user_id }) => ask('PATCH', `users/${user_id}`, { user: { enabled: false } }),
  'the user is deleted': (ask, { user_id }) => ask('DELETE', `users/${user_id}`),
  'an admin sets another password': (ask, { user_id }) =>
    ask('PATCH', `users/${user_id}`, { user: { password: 'new' } }),
  'the user changes the password': (ask, { user_id, name }) =>
    ask('POST', `users/${user_id}/password`, { user: { original_password: name, password: 'new' } }),
  'the project is disabled': (ask, { id }) => ask('PATCH', `projects/${id}`, { project: { enabled: false } }),
  'the project is deleted': (ask, { id }) => ask('DELETE', `projects/${id}`),
  'the role is taken': async (ask, { id, user_id }, cloud) =>
    ask('DELETE', `projects/${id}/users/${user_id}/roles/${await roleId(cloud, 'member')}`),
  'the token is revoked': (_ask, { token }, cloud) =>
    cloud.request('DELETE', '/identity/v3/auth/tokens', { token, headers: { 'x-subject-token': token } }),
}

for (const [how, end] of Object.entries(ends)) {
  onEachEngine(`a token is refused from the next request on when ${how}, also after a restart`, async database => {
    // The second cloud on the same database is another process, or this one started again.
    await using cloud = await testCloud({ database: { ...database, [Symbol.asyncDispose]: async () => {} } })
    const member = await cloud.project('taken')
    const bystander = await cloud.project('stays')
    const ask = await admin(cloud)
    assert.equal(await status(cloud, member.token), 200)
    await end(ask, member, cloud)
    assert.equal(await status(cloud, member.token), 401)
    assert.equal(await status(cloud, bystander.token), 200)
    await using restarted = await testCloud({ database: { ...database, [Symbol.asyncDispose]: async () => {} } })
    assert.equal(await status(restarted, member.token), 401)
    assert.equal(await status(restarted, bystander.token), 200)
  })
}

test('what was disabled and is enabled again takes new tokens and still refuses the old ones', async () => {
  await using cloud = await testCloud()
  const member = await cloud.project('twice')
  const ask = await admin(cloud)
  await ask('PATCH', `users/${member.user_id}`, { user: { enabled: false } })
  await ask('PATCH', `users/${member.user_id}`, { user: { enabled: true } })
  assert.equal(await status(cloud, member.token), 401)
  const fresh = await cloud.login('twice')
  assert.equal(await status(cloud, fresh), 200)
  await ask('PATCH', `projects/${member.id}`, { project: { enabled: false } })
  await ask('PATCH', `projects/${member.id}`, { project: { enabled: true } })
  assert.equal(await status(cloud, fresh), 401)
  assert.equal(await status(cloud, await cloud.login('twice')), 200)
  const role = await roleId(cloud, 'member')
  const grant = `projects/${member.id}/users/${member.user_id}/roles/${role}`
  const held = await cloud.login('twice')
  await ask('DELETE', grant)
  await ask('PUT', grant)
  assert.equal(await status(cloud, held), 401)
  assert.equal(await status(cloud, await cloud.login('twice')), 200)
})

test('a disabled domain takes the tokens of its users and of its projects', async () => {
  await using cloud = await testCloud()
  const ask = await admin(cloud)
  const made = async (path: string, member: string, body: object) =>
    ((await ask('POST', path, { [member]: body })) as unknown as Record<string, { id: string }>)[member]!.id
  const domain_id = await made('domains', 'domain', { name: 'd' })
  const project = await made('projects', 'project', { name: 'p', domain_id })
  const user = await made('users', 'user', { name: 'u', domain_id, password: 'pw' })
  await ask('PUT', `projects/${project}/users/${user}/roles/${await roleId(cloud, 'member')}`)
  const logIn = () =>
    cloud.request('POST', '/identity/v3/auth/tokens', {
      body: {
        auth: {
          identity: { methods: ['password'], password: { user: { id: user, password: 'pw' } } },
          scope: { project: { id: project } },
        },
      },
    })
  const token = (await logIn()).headers['x-subject-token']!
  assert.equal(await status(cloud, token), 200)
  await ask('PATCH', `domains/${domain_id}`, { domain: { enabled: false } })
  assert.equal(await status(cloud, token), 401)
  assert.equal((await logIn()).status, 401)
  await ask('PATCH', `domains/${domain_id}`, { domain: { enabled: true } })
  assert.equal(await status(cloud, token), 401)
  assert.equal((await logIn()).status, 201)
})

test('a hundred times in one instant: revoked, then logged in again; the new token is good, the old is not', async () => {
  // Time stands still, so only the order of events can tell the tokens apart.
  await using cloud = await testCloud({ clock: virtualClock() })
  const { user_id } = await cloud.project('busy')
  const ask = await admin(cloud)
  let old = await cloud.login('busy')
  for (let round = 0; round < 100; round++) {
    await ask('PATCH', `users/${user_id}`, { user: { password: 'busy' } })
    const fresh = await cloud.login('busy')
    assert.ok(await cloud.env.authenticate(fresh), `round ${round}`)
    assert.equal(await cloud.env.authenticate(old), undefined, `round ${round}`)
    old = fresh
  }
})

onEachEngine('another process hears of a revocation, or asks soon by itself', async database => {
  const clock = virtualClock()
  const shared = { ...database, [Symbol.asyncDispose]: async () => {} }
  await using one = await testCloud({ database: shared, clock })
  await using other = await testCloud({ database: { ...shared }, clock })
  const { token, user_id } = await one.project('seen')
  assert.ok(await other.env.authenticate(token))
  await (await admin(one))('PATCH', `users/${user_id}`, { user: { enabled: false } })
  assert.equal(await one.env.authenticate(token), undefined)
  // Their buses are not joined: the worst case, every message lost.
  await clock.advance(1001)
  assert.equal(await other.env.authenticate(token), undefined)
})

test('group membership gives and takes rights', async () => {
  await using cloud = await testCloud()
  const ask = await admin(cloud)
  const { id, user_id } = await cloud.project('grouped')
  const made = (await ask('POST', 'groups', { group: { name: 'g' } })) as unknown as { group: { id: string } }
  const group = made.group.id
  await ask('PUT', `projects/${id}/groups/${group}/roles/${await roleId(cloud, 'manager')}`)
  await ask('PUT', `groups/${group}/users/${user_id}`)
  const token = await cloud.login('grouped')
  assert.deepEqual((await cloud.env.authenticate(token))?.roles, ['manager', 'member', 'reader'])
  await ask('DELETE', `groups/${group}/users/${user_id}`)
  assert.equal(await cloud.env.authenticate(token), undefined)
  assert.deepEqual((await cloud.env.authenticate(await cloud.login('grouped')))?.roles, ['member', 'reader'])
})

onEachEngine('rotating the keys logs nobody out, until the last token of a key has ended', async database => {
  const clock = virtualClock()
  await using cloud = await testCloud({ database, clock })
  const token = await cloud.login('demo')
  const rotate = () => rotateTokenKeys(systemCtx(cloud.env))
  for (let i = 0; i < 3; i++) await rotate()
  assert.equal(await status(cloud, token), 200)
  assert.equal(await status(cloud, await cloud.login('demo')), 200)
  await clock.advance((86_400 + 172_800) * 1000 + 1)
  const fresh = await cloud.login('demo')
  await rotate()
  assert.equal(await status(cloud, fresh), 200)
  assert.equal(await status(cloud, token), 401)
})

onEachEngine('keys that others have seen are all forgotten, the next one too', async database => {
  await using cloud = await testCloud({ database })
  const token = await cloud.login('demo')
  const all = () => keys.list(cloud.env.database.root, { purpose: ['token', 'jws'] })
  const seen = new Set((await all()).map(key => key.secret))
  for (let twice = 0; twice < 2; twice++) assert.equal(await rotateTokenKeys(systemCtx(cloud.env), { forget: true }), 0)
  assert.equal(await status(cloud, token), 401)
  assert.equal(await status(cloud, await cloud.login('demo')), 200)
  const now = await all()
  assert.deepEqual(now.map(key => `${key.purpose} ${key.state}`).sort(), [
    ...['jws primary', 'jws staged', 'token primary', 'token staged'],
  ])
  assert.ok(!now.some(key => seen.has(key.secret)))
})

test('keys rotate by themselves when they are old', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock, set: ['identity.key_rotation_seconds=3600'] })
  const before = await cloud.login('demo')
  await cloud.reconcile('identity.upkeep')
  await clock.advance(3_600_000)
  await cloud.reconcile('identity.upkeep')
  assert.equal(await status(cloud, before), 200)
  const numbers = await cloud.env.database.root
    .selectFrom('identity_keys')
    .select(['number', 'state'])
    .where('purpose', '=', 'token')
    .orderBy('number')
    .execute()
  assert.deepEqual(
    numbers.map(key => key.state),
    ['secondary', 'primary', 'staged'],
  )
})

test('attack 11: headers that claim an identity change nothing', async () => {
  await using cloud = await testCloud()
  const claims = {
    'x-roles': 'admin',
    'x-user-id': 'system',
    'x-user-name': 'admin',
    'x-project-id': 'anything',
    'x-is-admin-project': 'True',
    'x-identity-status': 'Confirmed',
    'x-service-token': 'x',
    'openstack-system-scope': 'all',
  }
  assert.equal((await cloud.request('GET', '/identity/v3/users', { headers: claims })).status, 401)
  const token = await cloud.login('demo')
  assert.equal((await cloud.request('GET', '/identity/v3/users', { token, headers: claims })).status, 403)
})

test('attack 12: a token that was altered in any way is refused', async () => {
  await using cloud = await testCloud()
  const token = await cloud.login('demo')
  assert.equal(await status(cloud, token), 200)
  const swapped = token.replace(/[a-zA-Z](?=[^a-zA-Z]*$)/, c =>
    c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase(),
  )
  const flipped = Buffer.from(token, 'base64url')
  flipped[40]! ^= 1
  for (const altered of [
    swapped,
    token.toLowerCase(),
    `${token}=`,
    `${token}==`,
    token.slice(0, -1),
    `${token}A`,
    flipped.toString('base64url'),
    `${token}.${token}`,
    'gAAAAA',
    'x'.repeat(7000),
  ]) {
    assert.equal(await status(cloud, altered), 401, altered.slice(-20))
  }
})

test('attack 23: a thousand-fold guess learns nothing, and a lock looks like a wrong password', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock, set: ['identity.lockout_attempts=3', 'identity.lockout_seconds=600'] })
  const guess = (name: string, password: string) =>
    cloud.request('POST', '/identity/v3/auth/tokens', {
      body: {
        auth: {
          identity: { methods: ['password'], password: { user: { name, domain: { id: 'default' }, password } } },
        },
      },
    })
  const refused = await guess('nobody', 'x')
  assert.equal(refused.status, 401)
  assert.ok(!JSON.stringify(refused.body).includes('nobody'))
  for (const password of ['a', 'b', 'c', 'demo']) {
    const { status, body } = await guess('demo', password)
    assert.deepEqual({ status, body }, { status: 401, body: refused.body }, password)
  }
  await clock.advance(600_001)
  assert.equal((await guess('demo', 'demo')).status, 201)
  await cloud.project('off')
  const ask = await admin(cloud)
  const { users } = (await ask('GET', 'users?name=off')) as unknown as { users: { id: string }[] }
  await ask('PATCH', `users/${users[0]!.id}`, { user: { enabled: false } })
  const disabled = await guess('off', 'off')
  assert.deepEqual({ status: disabled.status, body: disabled.body }, { status: 401, body: refused.body })
})

test('attack 23: who guesses from one address waits there, with whatever name; others log in', async () => {
  const clock = virtualClock()
  const set = ['identity.source_lockout_attempts=3', 'identity.lockout_seconds=600']
  await using cloud = await testCloud({ clock, set })
  const logIn = async (remoteAddress: string, name: string, password: string) => {
    const user = { name, domain: { id: 'default' }, password }
    const payload = { auth: { identity: { methods: ['password'], password: { user } } } }
    const answer = await cloud.http.inject({ method: 'POST', url: '/identity/v3/auth/tokens', remoteAddress, payload })
    return { status: answer.statusCode, body: answer.statusCode === 201 ? '' : answer.body }
  }
  const refused = await logIn('192.0.2.1', 'nobody', 'x')
  for (const name of ['demo', 'admin']) assert.deepEqual(await logIn('192.0.2.1', name, 'x'), refused)
  assert.deepEqual(await logIn('192.0.2.1', 'demo', 'demo'), refused, 'the right password is of no use now')
  assert.deepEqual(await logIn('::ffff:192.0.2.1', 'demo', 'demo'), refused)
  assert.equal((await logIn('192.0.2.2', 'demo', 'demo')).status, 201)
  for (const end of ['1', '2', '3']) await logIn(`2001:db8:0:1::${end}`, 'demo', 'x')
  assert.equal((await logIn('2001:db8:0:1::4', 'demo', 'demo')).status, 401)
  assert.equal((await logIn('2001:db8:0:2::4', 'demo', 'demo')).status, 201)
  await clock.advance(600_000)
  assert.equal((await logIn('192.0.2.1', 'demo', 'demo')).status, 201)
})

test('attack 23: an unknown user costs as much work as a wrong password', async () => {
  const cost = { memory: 2048, passes: 2 }
  const hash = await hashPassword('secret', cost, Buffer.alloc(16, 1))
  assert.match(hash, /^\$argon2id\$v=19\$m=2048,t=2,p=1\$/)
  assert.equal(await checkPassword('secret', hash, cost), true)
  assert.equal(await checkPassword('wrong', hash, cost), false)
  // Without a hash the same derivation runs: it would fail on a cost that argon2 refuses.
  assert.equal(await checkPassword('secret', null, cost), false)
  await assert.rejects(checkPassword('secret', null, { memory: 1, passes: 1 }))
})

test('signed tokens end in the same ways, and services that check them themselves are told', async () => {
  await using cloud = await testCloud({ set: ['identity.token_provider=jws'] })
  const ask = await admin(cloud)
  const events = async (query = '') =>
    ((await ask('GET', `OS-REVOKE/events${query}`)) as unknown as { events: Record<string, string>[] }).events
  let count = 0
  for (const [how, end] of Object.entries(ends)) {
    const member = await cloud.project(`signed ${++count}`)
    const { audit_ids } = (await cloud.env.authenticate(member.token))!
    await end(ask, member, cloud)
    assert.equal(await cloud.env.authenticate(member.token), undefined, how)
    const about = (await events()).filter(
      event =>
        event.user_id === member.user_id || event.project_id === member.id || audit_ids.includes(event.audit_id ?? ''),
    )
    assert.ok(about.length > 0, how)
    for (const { issued_before, revoked_at } of about) assert.ok(issued_before && revoked_at === issued_before, how)
  }
  assert.deepEqual(await events('?since=2999-01-01T00:00:00Z'), [])
  assert.equal((await events('?since=2000-01-01T00:00:00Z')).length, (await events()).length)
  const token = await cloud.login('admin')
  assert.equal((await cloud.request('GET', '/identity/v3/OS-REVOKE/events?since=soon', { token })).status, 400)
  const member = await cloud.login('demo')
  assert.equal((await cloud.request('GET', '/identity/v3/OS-REVOKE/events', { token: member })).status, 403)
})

onEachEngine('what one process revokes another refuses at its next request, however warm it is', async database => {
  const kept = { ...database, [Symbol.asyncDispose]: async () => {} }
  // As `--workers` sets it: the generation is read at each request.
  const set = ['identity.cache_trust_ms=0']
  await using one = await testCloud({ database: kept, set })
  await using other = await testCloud({ database: kept, set })
  for (const [how, end] of Object.entries(ends)) {
    const member = await one.project(how.replaceAll(' ', '-'))
    assert.ok(await other.env.authenticate(member.token))
    const before = other.env.database.statements()
    assert.ok(await other.env.authenticate(member.token))
    assert.equal(other.env.database.statements() - before, 1, 'the generation alone')
    await end(await admin(one), member, one)
    assert.equal(await other.env.authenticate(member.token), undefined, how)
  }
})
