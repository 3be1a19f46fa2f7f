/** Rules that are taken up while the cloud runs, and what the operator's file keeps from them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Credentials } from './credentials.ts'
import { livePolicy } from './live.ts'
import { admin, rule } from './rule.ts'

const member: Credentials = { user_id: 'u', project_id: 'p', roles: ['member'] }
const rules = [
  rule('create', 'role:member'),
  rule('purge', admin),
  rule('move', admin, { deprecated: { name: 'migrate', since: '2.0' } }),
]

test('rules are taken up and given up; what cannot be taken up changes nothing', () => {
  const policy = livePolicy(rules)
  const may = () => ['create', 'purge'].filter(name => policy.allows(name, member))
  assert.deepEqual(may(), ['create'])
  policy.override({ create: '!', purge: '@' })
  assert.deepEqual(may(), ['purge'])
  assert.throws(() => policy.override({ create: 'rule:none' }), /unknown rule:none/)
  assert.deepEqual(may(), ['purge'])
  assert.ok(policy.with({}).allows('create', member))
  assert.deepEqual(may(), ['purge'], 'asking what would be changes nothing')
  policy.override({})
  assert.deepEqual(may(), ['create'])
})

test('what the file says stays, by a former name too, and what its checks are made of', () => {
  const loose = { purge: '@', move: '@', context_is_admin: '@', operators: '@', create: '!' }
  const allowed = (file: Record<string, string>) => {
    const policy = livePolicy(rules, file)
    policy.override(loose)
    return ['purge', 'move', 'create'].filter(name => policy.allows(name, member))
  }
  assert.deepEqual(allowed({}), ['purge', 'move'])
  assert.deepEqual(allowed({ purge: '!' }), ['move'])
  assert.deepEqual(allowed({ migrate: '!' }), ['purge'])
  assert.deepEqual(allowed({ purge: 'rule:context_is_admin' }), ['move'])
  assert.deepEqual(allowed({ purge: 'rule:operators', operators: 'role:operator' }), ['move'])
  assert.deepEqual(allowed({ create: 'role:member' }), ['purge', 'move', 'create'])
})
