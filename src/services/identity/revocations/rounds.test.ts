/** Revoking all and logging in again within one tick of the clock, a thousand times. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { testCloud } from '../../../../test/harness.ts'

test('of a thousand rounds within one instant, the new token is always good and the old one never (S-281)', async () => {
  await using cloud = await testCloud({ clock: virtualClock() })
  const { user_id, id, token: first } = await cloud.project('busy')
  const admin = await cloud.login('admin')
  const scope = { project: { id } }
  let old = first
  const wrong: string[] = []
  for (let round = 0; round < 1000; round++) {
    const password = `busy-${round}`
    const body = { user: { password } }
    await cloud.request('PATCH', `/identity/v3/users/${user_id}`, { token: admin, body })
    const user = { id: user_id, password }
    const auth = { identity: { methods: ['password'], password: { user } }, scope }
    const { headers } = await cloud.request('POST', '/identity/v3/auth/tokens', { body: { auth } })
    const fresh = headers['x-subject-token']!
    if (await cloud.env.authenticate(old)) wrong.push(`round ${round}: the old one is good`)
    if (!(await cloud.env.authenticate(fresh))) wrong.push(`round ${round}: the new one is not`)
    old = fresh
  }
  assert.deepEqual(wrong, [])
})
