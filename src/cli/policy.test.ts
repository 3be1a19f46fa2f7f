/** The policy commands, on the rules of the whole cloud. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enforcer } from '#kernel/policy/enforcer.ts'
import { parsePolicy } from '#kernel/policy/policy-file.ts'
import { rulesOf } from '../cloud.ts'
import { services } from '../services.ts'
import { parseCommand } from './options.ts'
import { type Access, judged, listLines, sampleLines } from './policy.ts'

const policyRules = rulesOf(services)
const member: Access = { roles: ['member'], user: 'u', project: 'p', domain: undefined, system: false, target: [] }

test('the sample names every rule with its default, and changes nothing', () => {
  const policy = enforcer(policyRules)
  const guards = new Map([['identity:list_users', ['GET /identity/v3/users: List users']]])
  const lines = sampleLines(policy.describe(), guards)
  assert.deepEqual(parsePolicy(lines.join('\n'), 'sample'), {})
  const open = lines.map(line => line.replace(/^#(?=")/, '')).join('\n')
  const rules = Object.entries(parsePolicy(open, 'sample'))
  assert.equal(rules.length, policy.describe().length)
  for (const { name, default: check } of policy.describe()) {
    assert.ok(
      rules.some(([key, value]) => key === name && value === check),
      name,
    )
  }
  assert.ok(lines.includes('# GET /identity/v3/users: List users'))
})

test('the list marks what the file changes', () => {
  const lines = listLines(enforcer(policyRules, { 'identity:list_users': '!' }).describe())
  assert.ok(lines.includes('* identity:list_users: !'))
  assert.equal(lines.filter(line => line.startsWith('*')).length, 1)
})

test('what a role may do, with the roles that it implies, in its scope and on a target', () => {
  const policy = enforcer(policyRules)
  const may = (name: string, access: Partial<Access>) => judged(policy, [name], { ...member, ...access })[0]!.may
  assert.equal(may('os_compute_api:servers:create', {}), true)
  assert.equal(may('os_compute_api:servers:create', { roles: ['reader'] }), false)
  assert.equal(may('os_compute_api:servers:create', { target: ['project_id=other'] }), false)
  assert.equal(may('identity:list_users', {}), false)
  assert.equal(may('identity:list_users', { roles: ['admin'] }), true)
  assert.equal(may('identity:list_users', { roles: ['reader'], system: true }), true)
})

test('the command line', () => {
  const words = 'policy check identity:list_users --role admin --role service --system --target user.id=a=b'.split(' ')
  const { name, options } = parseCommand(words)
  assert.equal(name, 'policy check')
  assert.deepEqual(options, {
    ...{ rule: 'identity:list_users', roles: ['admin', 'service'], system: true, target: ['user.id=a=b'] },
    ...{ user: 'user', project: 'project', domain: undefined },
    data: (options as { data: string }).data,
  })
  assert.throws(() => parseCommand(['policy', 'check', '--target', 'x']), /NAME=VALUE/)
  assert.throws(() => parseCommand(['policy']), /say list or check or sample/)
})
