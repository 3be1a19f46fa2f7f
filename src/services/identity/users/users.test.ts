/** Users' passwords: changing one's own, and what guessing gets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

function logIn(cloud: TestCloud, name: string, password: string) {
  const user = { name, domain: { id: 'default' }, password }
  return cloud.request('POST', '/identity/v3/auth/tokens?nocatalog', {
    body: { auth: { identity: { methods: ['password'], password: { user } } } },
  })
}

function change(cloud: TestCloud, userId: string, original_password: string, password: string) {
  const body = { user: { original_password, password } }
  return cloud.request('POST', `/identity/v3/users/${userId}/password`, { body })
}

onEachEngine('a user changes the password with the old one: then only the new one opens', async database => {
  await using cloud = await testCloud({ database })
  const { user_id, token } = await cloud.project('someone')
  assert.equal((await change(cloud, user_id, 'someone', 'fresh')).status, 204)
  assert.equal((await logIn(cloud, 'someone', 'someone')).status, 401)
  assert.equal((await logIn(cloud, 'someone', 'fresh')).status, 201)
  assert.equal(await cloud.env.authenticate(token), undefined)
})

test('a wrong old password and an unknown user look the same', async () => {
  await using cloud = await testCloud()
  const { user_id } = await cloud.project('someone')
  const wrong = await change(cloud, user_id, 'x', 'fresh')
  const unknown = await change(cloud, 'f'.repeat(32), 'x', 'fresh')
  assert.equal(wrong.status, 401)
  assert.deepEqual(unknown.body, wrong.body)
  assert.equal(unknown.status, 401)
})

const locking = ['identity.lockout_attempts=3', 'identity.lockout_seconds=600']

onEachEngine('of many guesses at once no more than the limit count', async database => {
  await using cloud = await testCloud({ database, clock: virtualClock(), set: locking })
  const guesses = Array.from({ length: 40 }, (_, i) => logIn(cloud, 'demo', `wrong-${i}`))
  for (const { status } of await Promise.all(guesses)) assert.equal(status, 401)
  assert.equal((await logIn(cloud, 'demo', 'demo')).status, 401)
})

test('a lock ends by itself, and then as many tries are free again; the lock is not prolonged by trying', async () => {
  const clock = virtualClock()
  await using cloud = await testCloud({ clock, set: locking })
  for (let i = 0; i < 3; i++) await logIn(cloud, 'demo', 'wrong')
  await clock.advance(599_000)
  await logIn(cloud, 'demo', 'wrong')
  assert.equal((await logIn(cloud, 'demo', 'demo')).status, 401)
  await clock.advance(1001)
  for (let i = 0; i < 2; i++) await logIn(cloud, 'demo', 'wrong')
  assert.equal((await logIn(cloud, 'demo', 'demo')).status, 201)
  for (let i = 0; i < 2; i++) await logIn(cloud, 'demo', 'wrong')
  assert.equal((await logIn(cloud, 'demo', 'demo')).status, 201)
})

test('users whom their options spare are not locked out', async () => {
  await using cloud = await testCloud({ set: locking })
  const { user_id } = await cloud.project('spared')
  const body = { user: { options: { ignore_lockout_failure_attempts: true } } }
  const token = await cloud.login('admin')
  assert.equal((await cloud.request('PATCH', `/identity/v3/users/${user_id}`, { token, body })).status, 200)
  for (let i = 0; i < 5; i++) await logIn(cloud, 'spared', 'wrong')
  assert.equal((await logIn(cloud, 'spared', 'spared')).status, 201)
})

test('a failed login writes as much for a user who is not there', async () => {
  await using cloud = await testCloud({ clock: virtualClock(), set: locking })
  const statements = async (name: string) => {
    const before = cloud.env.database.statements()
    await logIn(cloud, name, 'wrong')
    return cloud.env.database.statements() - before
  }
  await statements('demo')
  assert.equal(await statements('nobody'), await statements('demo'))
})
