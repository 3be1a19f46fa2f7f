/** Rules of passwords and accounts, each when the operator turned it on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, type TestCloudOptions, testCloud } from '../../../../test/harness.ts'

const day = 86_400_000

async function someone(options: TestCloudOptions & { set: string[] }) {
  const cloud = await testCloud({ clock: virtualClock(), ...options })
  const { user_id } = await cloud.project('someone')
  const change = async (original_password: string, password: string) => {
    const body = { user: { original_password, password } }
    return (await cloud.request('POST', `/identity/v3/users/${user_id}/password`, { body })).status
  }
  const patch = async (user: object) => {
    const token = await cloud.login('admin')
    return cloud.request<{ user: { enabled: boolean; password_expires_at: string | null } }>(
      'PATCH',
      `/identity/v3/users/${user_id}`,
      { token, body: { user } },
    )
  }
  return { cloud, user_id, change, patch, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

function logIn(cloud: TestCloud, password: string) {
  const user = { name: 'someone', domain: { id: 'default' }, password }
  const auth = { identity: { methods: ['password'], password: { user } } }
  return cloud.request<{ token: { user: { password_expires_at: string | null } }; error: { message: string } }>(
    'POST',
    '/identity/v3/auth/tokens',
    { body: { auth } },
  )
}

onEachEngine('a new password differs from the last ones', async database => {
  await using story = await someone({ database, set: ['identity.unique_last_password_count=3'] })
  const { change, patch } = story
  assert.equal(await change('someone', 'someone'), 400)
  assert.equal(await change('someone', 'second'), 204)
  assert.equal(await change('second', 'someone'), 400)
  assert.equal((await patch({ password: 'third' })).status, 200)
  for (const used of ['third', 'second', 'someone']) assert.equal(await change('third', used), 400, used)
  assert.equal(await change('third', 'fourth'), 204)
  assert.equal(await change('fourth', 'someone'), 204, 'it is long ago')
})

test('a password ends, and is changed with the old one; some users are spared', async () => {
  await using story = await someone({ set: ['identity.password_expires_days=2'] })
  const { cloud, change, patch, user_id } = story
  await patch({ password: 'given' })
  const first = await logIn(cloud, 'given')
  assert.equal(first.body.token.user.password_expires_at, '2026-01-03T00:00:00.000000')
  await (cloud.env.clock as ReturnType<typeof virtualClock>).advance(2 * day)
  const late = await logIn(cloud, 'given')
  assert.equal(late.status, 401)
  assert.equal(late.body.error.message, `The password is expired and needs to be changed for user: ${user_id}.`)
  assert.equal((await logIn(cloud, 'wrong')).body.error.message, 'The request you have made requires authentication.')
  const ended = async (query: string) => {
    const token = await cloud.login('admin')
    const path = `/identity/v3/users?name=someone&password_expires_at=${query}`
    return (await cloud.request<{ users: object[] }>('GET', path, { token })).body.users?.length
  }
  assert.equal(await ended('lt:2026-01-04T00:00:00Z'), 1)
  assert.equal(await ended('gt:2026-01-04T00:00:00Z'), 0)
  assert.equal(await ended('soon'), undefined)
  await patch({ options: { ignore_password_expiry: true } })
  assert.equal((await logIn(cloud, 'given')).status, 201)
  await patch({ options: { ignore_password_expiry: null } })
  assert.equal(await change('given', 'fresh'), 204)
  assert.equal((await logIn(cloud, 'fresh')).status, 201)
})

test('what an admin gave is changed at first use', async () => {
  await using story = await someone({ set: ['identity.change_password_upon_first_use=true'] })
  const { cloud, change, patch } = story
  assert.equal((await logIn(cloud, 'someone')).status, 201)
  await patch({ password: 'given' })
  assert.equal((await logIn(cloud, 'given')).status, 401)
  assert.equal(await change('given', 'own'), 204)
  assert.equal((await logIn(cloud, 'own')).status, 201)
  await patch({ options: { ignore_change_password_upon_first_use: true }, password: 'given' })
  assert.equal((await logIn(cloud, 'given')).status, 201)
})

test('a password that a user chose is kept for a while; one that an admin gave need not be', async () => {
  await using story = await someone({ set: ['identity.minimum_password_age_days=1'] })
  const { cloud, change } = story
  assert.equal(await change('someone', 'second'), 204)
  assert.equal(await change('second', 'third'), 400)
  await (cloud.env.clock as ReturnType<typeof virtualClock>).advance(day)
  assert.equal(await change('second', 'third'), 204)
})

test('passwords match what the operator asks for, whoever sets them', async () => {
  const set = ['identity.password_regex=^.{8,}$', 'identity.password_regex_description=eight letters at least']
  await using story = await someone({ set })
  const { cloud, change, patch } = story
  assert.equal(await change('someone', 'short'), 400)
  assert.equal((await patch({ password: 'short' })).status, 400)
  const token = await cloud.login('admin')
  const body = { user: { name: 'another', password: 'short' } }
  const refused = await cloud.request<{ error: { message: string } }>('POST', '/identity/v3/users', { token, body })
  assert.equal(refused.status, 400)
  assert.match(refused.body.error.message, /eight letters at least/)
  assert.equal(await change('someone', 'long enough'), 204)
})

test('who was away for long is disabled, until an admin enables again', async () => {
  await using story = await someone({ set: ['identity.disable_user_account_days_inactive=3'] })
  const { cloud, patch } = story
  const clock = cloud.env.clock as ReturnType<typeof virtualClock>
  await clock.advance(2 * day)
  assert.equal((await logIn(cloud, 'someone')).status, 201)
  await cloud.login('admin')
  await clock.advance(2 * day)
  await cloud.login('admin')
  assert.equal((await logIn(cloud, 'someone')).status, 201)
  await clock.advance(2 * day)
  await cloud.login('admin')
  await clock.advance(2 * day)
  assert.equal((await logIn(cloud, 'someone')).status, 401)
  assert.equal((await patch({ enabled: true })).body.user.enabled, true)
  assert.equal((await logIn(cloud, 'someone')).status, 201)
})

test('a locked password is not the user’s to change; unknown options are refused', async () => {
  await using story = await someone({ set: [] })
  const { change, patch } = story
  assert.equal((await patch({ options: { lock_password: true } })).status, 200)
  assert.equal(await change('someone', 'second'), 400)
  assert.equal((await patch({ options: { lock_password: null } })).status, 200)
  assert.equal(await change('someone', 'second'), 204)
  assert.equal((await patch({ options: { colour: 'red' } })).status, 400)
  assert.equal((await patch({ options: { lock_password: 'yes' } })).status, 400)
})
