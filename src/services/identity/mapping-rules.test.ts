/** Mapping rules, one story for each thing that they can say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyRules, assertionOf, type Local, type MappingRule, type Requirement } from './mapping-rules.ts'

const said = assertionOf({
  UserName: 'bob',
  FirstName: 'Bob',
  LastName: 'Thompson',
  Email: 'bob@example.com',
  orgPersonType: 'Employee;Contractor',
  Groups: 'admins;developers;guests',
  Number: 7,
})

const rule = (local: Local | Local[], ...remote: Requirement[]): MappingRule => ({ local: [local].flat(), remote })
const user: Local = { user: { name: '{0}' } }
const name: Requirement = { type: 'UserName' }

test('values are put in the places that their numbers name', () => {
  const local: Local = { user: { name: '{0} {1}', email: '{2}' } }
  const remote = [{ type: 'FirstName' }, { type: 'LastName' }, { type: 'Email' }]
  const mapped = applyRules([rule(local, ...remote)], said)
  assert.deepEqual(mapped.user, { name: 'Bob Thompson', email: 'bob@example.com', type: 'ephemeral' })
})

test('requirements that only decide have no number', () => {
  const decides: Requirement = { type: 'orgPersonType', any_one_of: ['Contractor'] }
  assert.equal(applyRules([rule(user, decides, name)], said).user.name, 'bob')
})

test('any_one_of: one of the values is enough', () => {
  const of = (...any_one_of: string[]) => [rule(user, name, { type: 'orgPersonType', any_one_of })]
  assert.equal(applyRules(of('Boss', 'Employee'), said).user.name, 'bob')
  assert.throws(() => applyRules(of('Boss'), said), /Could not map any federated user properties/)
})

test('not_any_of: none of the values may be there', () => {
  const of = (...not_any_of: string[]) => [rule(user, name, { type: 'orgPersonType', not_any_of })]
  assert.equal(applyRules(of('Boss'), said).user.name, 'bob')
  assert.throws(() => applyRules(of('Contractor'), said))
})

test('an attribute that was not said meets nothing, not even a rule that forbids', () => {
  assert.throws(() => applyRules([rule(user, name, { type: 'Badge' })], said))
  assert.throws(() => applyRules([rule(user, name, { type: 'Badge', not_any_of: ['x'] })], said))
  assert.throws(() => applyRules([rule(user, { type: 'toString' })], said))
  assert.throws(() => applyRules([rule(user, { type: 'Number' })], said), 'only text is said')
})

test('regular expressions are found anywhere unless they are anchored', () => {
  const of = (requirement: object) => [rule(user, name, { type: 'Email', regex: true, ...requirement })]
  assert.equal(applyRules(of({ any_one_of: ['@example\\.com$'] }), said).user.name, 'bob')
  assert.throws(() => applyRules(of({ any_one_of: ['^example'] }), said))
  assert.throws(() => applyRules(of({ not_any_of: ['example'] }), said))
})

const grouped = (remote: Requirement) =>
  applyRules([rule([user, { groups: '{1}', domain: { id: 'd' } }], name, remote)], said).group_names.map(g => g.name)

test('groups: all values, without the blacklist, or those of the whitelist', () => {
  assert.deepEqual(grouped({ type: 'Groups' }), ['admins', 'developers', 'guests'])
  assert.deepEqual(grouped({ type: 'Groups', blacklist: ['admins'] }), ['developers', 'guests'])
  assert.deepEqual(grouped({ type: 'Groups', whitelist: ['developers', 'bosses'] }), ['developers'])
  assert.deepEqual(grouped({ type: 'Groups', whitelist: ['^a', 's$'], regex: true }), [
    'admins',
    'developers',
    'guests',
  ])
  assert.deepEqual(grouped({ type: 'Groups', blacklist: ['e'], regex: true }), ['admins'])
  assert.deepEqual(grouped({ type: 'Groups', whitelist: [] }), [])
})

test('groups need their domain', () => {
  assert.throws(() => applyRules([rule([user, { groups: '{0}' }], name)], said), /Both 'groups' and 'domain'/)
})

test('groups by id, by name, and several ids; each once', () => {
  const domain = { name: 'd' }
  const rules = [
    rule([user, { group: { id: 'g1' } }, { group: { name: 'staff', domain } }], name),
    rule([{ group: { id: 'g1' } }, { group: { name: 'staff', domain } }, { group_ids: '{0}' }], { type: 'Groups' }),
  ]
  const mapped = applyRules(rules, said)
  assert.deepEqual(mapped.group_ids, ['g1', 'admins', 'developers', 'guests'])
  assert.deepEqual(mapped.group_names, [{ name: 'staff', domain }])
})

test('of several rules that are met the first user counts, and all groups', () => {
  const rules = [
    rule({ user: { name: 'nobody' } }, { type: 'Badge' }),
    rule([user, { group: { id: 'a' } }], name),
    rule([{ user: { name: 'other' } }, { group: { id: 'b' } }], name),
  ]
  const mapped = applyRules(rules, said)
  assert.equal(mapped.user.name, 'bob')
  assert.deepEqual(mapped.group_ids, ['a', 'b'])
})

test('a local user says so', () => {
  const local: Local = { user: { name: '{0}', type: 'local', domain: { id: 'default' } } }
  assert.deepEqual(applyRules([rule(local, name)], said).user, {
    name: 'bob',
    type: 'local',
    domain: { id: 'default' },
  })
})

test('projects with roles, their names from what was said', () => {
  const projects = [{ name: "{0}'s", roles: [{ name: 'member' }] }]
  const mapped = applyRules([rule([user, { projects }], name)], said)
  assert.deepEqual(mapped.projects, [{ name: "bob's", roles: [{ name: 'member' }] }])
})

test('in version 2 a domain beside users and projects is theirs unless they name one', () => {
  const local: Local = {
    domain: { name: 'home' },
    user: { name: '{0}' },
    projects: [
      { name: 'a', roles: [] },
      { name: 'b', roles: [], domain: { name: 'away' } },
    ],
  }
  const old = applyRules([rule(local, name)], said)
  assert.equal(old.user.domain, undefined)
  const mapped = applyRules([rule(local, name)], said, '2.0')
  assert.deepEqual(mapped.user.domain, { name: 'home' })
  assert.deepEqual(
    mapped.projects.map(project => project.domain?.name),
    ['home', 'away'],
  )
})

test('a number that no requirement has is the rule’s mistake', () => {
  assert.throws(() => applyRules([rule({ user: { name: '{1}' } }, name)], said), /refers to a remote match/)
})

test('what is said is only ever a value: it fills no marks and makes no lists', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), value => {
      const mapped = applyRules([rule([user, { groups: '{0}', domain: { id: 'd' } }], { type: 'x' })], { x: [value] })
      assert.equal(mapped.user.name, value)
      assert.deepEqual(mapped.group_names, [{ name: value, domain: { id: 'd' } }])
    }),
  )
})

test('another Keystone tells of groups with their domains; where the rule names one, no value can', () => {
  const told = { groups: ['JSON:{"name":"staff","domain":{"name":"Home"}}', 'JSON:{"name":"x","domain":{"id":"i"}}'] }
  const of = (local: Local) =>
    applyRules([rule([user, local], name, { type: 'groups' })], { ...said, ...told }).group_names
  assert.deepEqual(of({ groups: '{1}' }), [
    { name: 'staff', domain: { name: 'Home' } },
    { name: 'x', domain: { id: 'i' } },
  ])
  assert.deepEqual(of({ groups: '{1}', domain: { id: 'here' } })[0], { name: told.groups[0], domain: { id: 'here' } })
  for (const wrong of ['JSON:{', 'JSON:{"name":"staff"}', 'JSON:{"name":1,"domain":{"id":"i"}}', 'staff']) {
    const all = { ...said, groups: [wrong] }
    assert.throws(() => applyRules([rule([user, { groups: '{1}' }], name, { type: 'groups' })], all), /Both 'groups'/)
  }
})

test('in version 3 projects may be said as JSON, at once or one by one', () => {
  const one = { name: 'one', roles: [{ name: 'member' }] }
  const two = { name: 'two', roles: [], domain: { name: 'away' } }
  const of = (...projects: string[]) =>
    applyRules(
      [rule([user, { domain: { id: 'd' }, projects_json: '{1}' }], name, { type: 'p' })],
      { ...said, p: projects },
      '3.0',
    ).projects
  const expected = [{ domain: { id: 'd' }, ...one }, two]
  assert.deepEqual(of(JSON.stringify([one, two])), expected)
  assert.deepEqual(of(JSON.stringify(one), JSON.stringify(two)), expected)
  for (const wrong of ['[', '7', '[{"name":"x"}]', '[{"name":"x","roles":["member"]}]', 'null']) {
    assert.throws(() => of(wrong), /projects_json/)
  }
})
