/** Expressions of operators on texts of strangers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCloud } from '../../../test/harness.ts'
import { found } from './expressions.ts'

test('what any of the expressions is found in is kept', () => {
  assert.deepEqual(found(['alice@a.test', 'bob@b.test', 'carol'], ['@a\\.test$', '^c']), ['alice@a.test', 'carol'])
})

test('an expression that would run for ever is stopped, and the next one runs', () => {
  const text = `${'a'.repeat(60)}!`
  for (const slow of ['^(a+)+$', '^(a|a)*$', '(.*a){25}x']) assert.throws(() => found([text], [slow]), /takes too long/)
  assert.deepEqual(found([text], ['^a+!$']), [text])
})

test('a password that makes the operator’s expression slow is refused', async () => {
  await using cloud = await testCloud({ set: ['identity.password_regex=^(\\w+\\s?)+$'] })
  const token = await cloud.login('admin')
  const make = (name: string, password: string) =>
    cloud.request('POST', '/identity/v3/users', { token, body: { user: { name, password } } })
  assert.equal((await make('quick', 'two words')).status, 201)
  assert.equal((await make('slow', `${'a'.repeat(80)}!`)).status, 400)
})
