/** Trusts: a user lets another act in a project, for a time, a number of uses, and as itself or not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestProject, testCloud } from '../../../../test/harness.ts'

interface Trust {
  id: string
  redelegation_count: number
  expires_at: string | null
  remaining_uses: number | null
  roles: { name: string }[]
}
interface Token {
  user: { id: string }
  project: { id: string }
  roles: { name: string }[]
  'OS-TRUST:trust': { id: string; impersonation: boolean; trustor_user: { id: string }; trustee_user: { id: string } }
}

type Party = Pick<TestProject, 'id' | 'user_id' | 'token'>

function give(cloud: TestCloud, from: Party, to: Party, more: object = {}) {
  const trust = {
    trustor_user_id: from.user_id,
    trustee_user_id: to.user_id,
    project_id: from.id,
    impersonation: false,
    roles: [{ name: 'member' }],
    ...more,
  }
  return cloud.request<{ trust: Trust; error?: { message: string } }>('POST', '/identity/v3/OS-TRUST/trusts', {
    token: from.token,
    body: { trust },
  })
}

function use(cloud: TestCloud, token: string, id: string) {
  const auth = { identity: { methods: ['token'], token: { id: token } }, scope: { 'OS-TRUST:trust': { id } } }
  return cloud.request<{ token: Token; error?: { message: string } }>('POST', '/identity/v3/auth/tokens', {
    body: { auth },
  })
}

/** The token of a trust that works. */
async function tokenOf(cloud: TestCloud, token: string, id: string): Promise<string> {
  const answer = await use(cloud, token, id)
  assert.equal(answer.status, 201, JSON.stringify(answer.body))
  return answer.headers['x-subject-token']!
}

const isGood = async (cloud: TestCloud, token: string) => (await cloud.env.authenticate(token)) !== undefined

onEachEngine('the trustee acts in the project of the trustor, as itself or as the trustor', async database => {
  await using cloud = await testCloud({ database })
  const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
  for (const impersonation of [false, true]) {
    const made = await give(cloud, alice, bob, { impersonation })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const { token } = (await use(cloud, bob.token, made.body.trust.id)).body
    assert.equal(token.user.id, impersonation ? alice.user_id : bob.user_id)
    assert.equal(token.project.id, alice.id)
    assert.deepEqual(
      token.roles.map(role => role.name),
      ['member', 'reader'],
    )
    assert.deepEqual(token['OS-TRUST:trust'], {
      id: made.body.trust.id,
      impersonation,
      trustor_user: { id: alice.user_id },
      trustee_user: { id: bob.user_id },
    })
  }
})

test('attack 10: nobody else uses it, and its token leads to no other', async () => {
  await using cloud = await testCloud()
  const [alice, bob, eve] = [await cloud.project('alice'), await cloud.project('bob'), await cloud.project('eve')]
  const { id } = (await give(cloud, alice, bob)).body.trust
  assert.equal((await use(cloud, eve.token, id)).status, 403)
  // To others there is none.
  assert.equal((await cloud.request('GET', `/identity/v3/OS-TRUST/trusts/${id}`, eve)).status, 404)
  assert.equal((await cloud.request('DELETE', `/identity/v3/OS-TRUST/trusts/${id}`, bob)).status, 403)
  for (const party of [alice, bob]) {
    const { body } = await cloud.request<{ trust: Trust }>('GET', `/identity/v3/OS-TRUST/trusts/${id}`, party)
    assert.deepEqual([body.trust.id, body.trust.roles.map(role => role.name)], [id, ['member']])
  }
  const delegated = await tokenOf(cloud, bob.token, id)
  assert.equal((await use(cloud, delegated, id)).status, 403)
  const body = { auth: { identity: { methods: ['token'], token: { id: delegated } } } }
  assert.equal((await cloud.request('POST', '/identity/v3/auth/tokens', { body })).status, 403)
  const scopes = [
    { project: { id: bob.id } },
    { project: { id: alice.id } },
    { domain: { id: 'default' } },
    { system: { all: true } },
  ]
  for (const scope of scopes) {
    const again = { auth: { ...body.auth, scope } }
    const { status } = await cloud.request('POST', '/identity/v3/auth/tokens', { body: again })
    assert.equal(status, 403, JSON.stringify(scope))
  }
  assert.equal((await give(cloud, { ...alice, token: delegated }, bob)).status, 403, 'nor to more trusts')
  const secret = { application_credential: { name: 'x' } }
  const path = `/identity/v3/users/${bob.user_id}/application_credentials`
  assert.equal((await cloud.request('POST', path, { token: delegated, body: secret })).status, 403)
})

test('attack 10: one gives in own name only what one has', async () => {
  await using cloud = await testCloud()
  const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
  assert.equal((await give(cloud, alice, bob, { trustor_user_id: bob.user_id })).status, 403)
  assert.equal((await give(cloud, alice, bob, { roles: [{ name: 'admin' }] })).status, 404)
  assert.equal((await give(cloud, alice, bob, { roles: [] })).status, 403)
  assert.equal((await give(cloud, alice, bob, { project_id: bob.id })).status, 404)
  assert.equal((await give(cloud, alice, bob, { trustee_user_id: 'nobody' })).status, 404)
  assert.equal((await give(cloud, alice, bob, { expires_at: '2001-01-01T00:00:00Z' })).status, 400)
  assert.equal((await give(cloud, alice, bob, { expires_at: 'soon' })).status, 400)
  assert.equal((await give(cloud, alice, bob, { remaining_uses: 0 })).status, 400)
  assert.equal((await give(cloud, alice, bob, { roles: [{ name: 'member', id: 'both' }] })).status, 400)
})

onEachEngine('of many who use a trust at once, as many get a token as it has uses', async database => {
  await using cloud = await testCloud({ database })
  const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
  const { id } = (await give(cloud, alice, bob, { remaining_uses: 2 })).body.trust
  const answers = await Promise.all(Array.from({ length: 6 }, () => use(cloud, bob.token, id)))
  const good = answers.filter(answer => answer.status === 201)
  assert.equal(good.length, 2)
  assert.ok(await isGood(cloud, good[0]!.headers['x-subject-token']!))
  assert.equal((await use(cloud, bob.token, id)).status, 401)
  assert.equal((await cloud.request('GET', `/identity/v3/OS-TRUST/trusts/${id}`, alice)).status, 404)
})

onEachEngine(
  'its tokens end with it, with its time, with a role of the trustor, and with either user',
  async database => {
    const clock = virtualClock()
    await using cloud = await testCloud({ database, clock })
    const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
    const admin = await cloud.login('admin')
    const made = async (more: object = {}) =>
      tokenOf(cloud, bob.token, (await give(cloud, alice, bob, more)).body.trust.id)

    const { id } = (await give(cloud, alice, bob)).body.trust
    const deleted = await tokenOf(cloud, bob.token, id)
    assert.ok(await isGood(cloud, deleted))
    assert.equal((await cloud.request('DELETE', `/identity/v3/OS-TRUST/trusts/${id}`, alice)).status, 204)
    assert.ok(!(await isGood(cloud, deleted)))

    const timed = await made({ expires_at: new Date(clock.now() + 60_000).toISOString() })
    assert.ok(await isGood(cloud, timed))
    await clock.advance(60_001)
    assert.ok(!(await isGood(cloud, timed)))

    const standing = await made({ impersonation: true })
    const roles = await cloud.request<{ roles: { id: string; name: string }[] }>('GET', '/identity/v3/roles', {
      token: admin,
    })
    const member = roles.body.roles.find(role => role.name === 'member')!.id
    const grant = `/identity/v3/projects/${alice.id}/users/${alice.user_id}/roles/${member}`
    await cloud.request('DELETE', grant, { token: admin })
    assert.ok(!(await isGood(cloud, standing)))
    await cloud.request('PUT', grant, { token: admin })
    assert.ok(!(await isGood(cloud, standing)), 'a token that was refused stays so')

    alice.token = await cloud.login('alice')
    const disabled = await made()
    const disable = { user: { enabled: false } }
    await cloud.request('PATCH', `/identity/v3/users/${alice.user_id}`, { token: admin, body: disable })
    assert.ok(!(await isGood(cloud, disabled)))
  },
)

test('attack 10: a trust is passed on as often as it says, never with more than it has', async () => {
  await using cloud = await testCloud()
  const [alice, bob, carol, dave] = [
    await cloud.project('alice'),
    await cloud.project('bob'),
    await cloud.project('carol'),
    await cloud.project('dave'),
  ]
  const first = (await give(cloud, alice, bob, { allow_redelegation: true, redelegation_count: 1 })).body.trust
  assert.equal(first.redelegation_count, 1)
  const asBob = { id: alice.id, user_id: bob.user_id, token: await tokenOf(cloud, bob.token, first.id) }
  const refused = [
    { impersonation: true },
    { remaining_uses: 1 },
    { roles: [{ name: 'admin' }] },
    { allow_redelegation: true, redelegation_count: 2 },
  ]
  for (const more of refused) {
    const { status } = await give(cloud, asBob, carol, more)
    assert.ok(status === 403 || status === 404, JSON.stringify(more))
  }
  const second = (await give(cloud, asBob, carol, { allow_redelegation: true })).body.trust
  assert.equal(second.redelegation_count, 0)
  const asCarol = { id: alice.id, user_id: carol.user_id, token: await tokenOf(cloud, carol.token, second.id) }
  assert.equal((await give(cloud, asCarol, dave)).status, 403)
  assert.equal((await give(cloud, alice, bob, { allow_redelegation: true, redelegation_count: 9 })).status, 403)

  await cloud.request('DELETE', `/identity/v3/OS-TRUST/trusts/${first.id}`, alice)
  assert.ok(!(await isGood(cloud, asCarol.token)), 'the chain ends with its beginning')
  assert.equal((await cloud.request('GET', `/identity/v3/OS-TRUST/trusts/${second.id}`, bob)).status, 404)
})

test('lists are of the own trusts; roles are shown', async () => {
  await using cloud = await testCloud()
  const [alice, bob] = [await cloud.project('alice'), await cloud.project('bob')]
  const { id } = (await give(cloud, alice, bob)).body.trust
  const list = async (query: string, token: string) => {
    const url = `/identity/v3/OS-TRUST/trusts${query}`
    const { status, body } = await cloud.request<{ trusts?: Trust[] }>('GET', url, { token })
    return { status, ids: body.trusts?.map(trust => trust.id) }
  }
  assert.deepEqual(await list(`?trustor_user_id=${alice.user_id}`, alice.token), { status: 200, ids: [id] })
  assert.deepEqual(await list(`?trustee_user_id=${bob.user_id}`, bob.token), { status: 200, ids: [id] })
  assert.equal((await list(`?trustor_user_id=${alice.user_id}`, bob.token)).status, 403)
  assert.equal((await list('', alice.token)).status, 403)
  assert.deepEqual((await list('', await cloud.login('admin'))).ids, [id])
  const roles = await cloud.request<{ roles: { id: string; name: string }[] }>(
    'GET',
    `/identity/v3/OS-TRUST/trusts/${id}/roles`,
    bob,
  )
  assert.deepEqual(
    roles.body.roles.map(role => role.name),
    ['member'],
  )
  const role = `/identity/v3/OS-TRUST/trusts/${id}/roles/${roles.body.roles[0]!.id}`
  assert.equal((await cloud.request('GET', role, bob)).status, 200)
  assert.equal((await cloud.request('HEAD', role, bob)).status, 200)
})
