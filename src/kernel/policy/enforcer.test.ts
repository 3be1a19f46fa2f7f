import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Credentials, Target } from './credentials.ts'
import { enforcer } from './enforcer.ts'
import { parsePolicy } from './policy-file.ts'
import { admin, anyone, projectMemberOrAdmin, projectReader, projectReaderOrAdmin, rule, service } from './rule.ts'

const reader: Credentials = { user_id: 'u1', project_id: 'p1', roles: ['reader'] }
const member: Credentials = { user_id: 'u2', project_id: 'p1', roles: ['member', 'reader'] }
const operator: Credentials = { user_id: 'u3', project_id: 'p9', roles: ['Admin'] }

const allows = (check: string, credentials: Credentials, target: Target = {}) =>
  enforcer([rule('x', check)]).allows('x', credentials, target)

test('personas: a reader looks, a member changes, only in its own project; an admin does both anywhere', () => {
  const policy = enforcer([
    rule('show', projectReaderOrAdmin),
    rule('create', projectMemberOrAdmin),
    rule('purge', admin),
  ])
  const may = (who: Credentials, project: string) =>
    ['show', 'create', 'purge'].filter(name => policy.allows(name, who, { project_id: project }))
  assert.deepEqual(may(reader, 'p1'), ['show'])
  assert.deepEqual(may(member, 'p1'), ['show', 'create'])
  assert.deepEqual(may(member, 'p2'), [])
  assert.deepEqual(may(operator, 'p1'), ['show', 'create', 'purge'])
})

test('roles compare without regard to case, and may come from the target', () => {
  assert.equal(allows('role:ADMIN', operator), true)
  assert.equal(allows('role:%(wanted)s', reader, { wanted: 'Reader' }), true)
  assert.equal(allows('role:%(wanted)s', reader), false)
})

test('targets: flat keys, dotted paths, several marks, the old name of a project', () => {
  assert.equal(allows('user_id:%(target.user.id)s', reader, { 'target.user.id': 'u1' }), true)
  assert.equal(allows('user_id:%(target.user.id)s', reader, { target: { user: { id: 'u1' } } }), true)
  assert.equal(allows('project_id:%(network:tenant_id)s', reader, { network: { project_id: 'p1' } }), true)
  assert.equal(allows('tenant_id:%(tenant_id)s', reader, { project_id: 'p1' }), true)
  assert.equal(allows('user_id:%(a)s%(b)s', reader, { a: 'u', b: 1 }), true)
  assert.equal(allows('user_id:%(constructor.name)s', { ...reader, user_id: 'Object' }, {}), false)
})

test('credentials: paths through objects and lists, and booleans in Python words', () => {
  const rich: Credentials = { ...reader, is_admin: true, token: { groups: [{ id: 'g1' }, { id: 'g2' }] } }
  assert.equal(allows('token.groups.id:%(group)s', rich, { group: 'g2' }), true)
  assert.equal(allows('token.groups.id:%(group)s', rich, { group: 'g3' }), false)
  assert.equal(allows('is_admin:True', rich), true)
  assert.equal(allows('is_admin:True', reader), false)
  assert.equal(allows('roles:reader', reader), true)
})

test('constants on the left compare with the target', () => {
  assert.equal(allows("'shared':%(visibility)s", reader, { visibility: 'shared' }), true)
  assert.equal(allows('None:%(owner)s', reader, { owner: null }), true)
  assert.equal(allows('None:%(owner)s', reader, { owner: 'p1' }), false)
  assert.equal(allows('None:%(owner)s', reader), false)
  assert.equal(allows('True:%(enabled)s', reader, { enabled: true }), true)
  assert.equal(allows('field:networks:shared=True', reader, { shared: true }), true)
  assert.equal(allows('field:networks:shared=True', reader, { shared: false }), false)
  assert.equal(allows('field:ports:device_owner=~network:', reader, { device_owner: 'network:dhcp' }), true)
})

test('a token without a project does not match a row without one', () => {
  const unscoped: Credentials = { user_id: 'u1', roles: ['reader'] }
  assert.equal(allows('project_id:%(project_id)s', unscoped, { project_id: null }), false)
  assert.equal(allows('project_id:%(project_id)s', unscoped, {}), false)
  assert.equal(allows('project_id:None', unscoped), true)
  assert.equal(allows('project_id:None', reader), false)
})

test('a rule limited to a scope refuses tokens of other scopes, whatever their roles', () => {
  const policy = enforcer([
    rule('hosts', 'role:admin', { scopes: ['system'] }),
    rule('mine', '@', { scopes: ['project'] }),
  ])
  const system: Credentials = { user_id: 'u', roles: ['admin'], system_scope: 'all' }
  assert.equal(policy.allows('hosts', system), true)
  assert.equal(policy.allows('hosts', operator), false)
  assert.equal(policy.allows('mine', system), false)
  assert.equal(policy.allows('mine', { user_id: 'u', roles: [], domain_id: 'd' }), false)
})

test('one override of a persona changes every rule made of it', () => {
  const policy = enforcer([rule('show', projectReaderOrAdmin)], { context_is_admin: 'role:cloud_admin' })
  assert.equal(policy.allows('show', operator, { project_id: 'p1' }), false)
  assert.equal(policy.allows('show', { ...operator, roles: ['cloud_admin'] }, { project_id: 'p1' }), true)
})

test('overrides: helper rules of the operator, old names, and slips that warn', () => {
  const rules = [rule('servers:show', projectReader, { deprecated: { name: 'get_server', since: '28.0.0' } })]
  const policy = enforcer(rules, {
    get_server: 'rule:auditor',
    auditor: 'role:auditor',
    'server:show': '@',
  })
  assert.equal(policy.allows('servers:show', { user_id: 'u', roles: ['auditor'] }), true)
  assert.deepEqual(policy.warnings, [
    'Policy rule "get_server" has been called "servers:show" since 28.0.0: rename it.',
    'Policy rule "server:show" is unknown and has no effect. Did you mean "servers:show"?',
  ])
})

test('what is broken fails at start', () => {
  assert.throws(() => enforcer([rule('a', anyone)], { a: 'role:x or' }), /Policy rule "a", column 10/)
  assert.throws(
    () => enforcer([rule('a', 'rule:project_readr_api')]),
    /unknown rule:project_readr_api. Did you mean "project_reader_api"/,
  )
  assert.throws(
    () => enforcer([rule('a', 'rule:b'), rule('b', 'not (rule:c)')], { c: [['rule:a']] }),
    /circle: a -> b -> c -> a/,
  )
  assert.throws(() => enforcer([rule('a', 'rule:a')]), /circle: a -> a/)
  assert.throws(() => enforcer([rule('a', '@'), rule('a', '!')]), /Two policy rules are named "a"/)
  assert.throws(() => enforcer([rule('a', '@')]).allows('b', reader), /No policy rule is named "b"/)
})

test('describe lists default and effective checks', () => {
  const policy = enforcer([rule('a', service, { description: 'Does a.' })], { a: '!' })
  assert.deepEqual(
    policy.describe().find(one => one.name === 'a'),
    { name: 'a', description: 'Does a.', default: 'rule:service_api', effective: '!', overridden: true, scopes: [] },
  )
  assert.equal(policy.describe().filter(one => one.overridden).length, 1)
})

test('the policy file: text and list forms, and a clear word about unquoted marks', () => {
  assert.deepEqual(parsePolicy('# none\n', 'policy.yaml'), {})
  assert.deepEqual(parsePolicy('"a:b": "role:x"\nc: [["role:y"]]\n', 'policy.yaml'), {
    'a:b': 'role:x',
    c: [['role:y']],
  })
  assert.throws(() => parsePolicy('a: !\n', 'policy.yaml'), /the check of "a" must be text. Quote it/)
  assert.throws(() => parsePolicy('a: @\n', 'policy.yaml'), /not readable as YAML/)
  assert.throws(() => parsePolicy('a:\n', 'policy.yaml'), /policy.yaml: the check of "a" must be text/)
  assert.throws(() => parsePolicy('- a\n', 'policy.yaml'), /expected a map/)
  assert.throws(() => parsePolicy('a: "@"\na: "!"\n', 'policy.yaml'), /not readable as YAML/)
})
