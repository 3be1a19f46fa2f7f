/** Entries of LDAP, as they come and as they are meant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ldapOptions } from '../ldap-options.ts'
import { comparable, groupOf, isMember, userOf } from './entries.ts'

const entry = { dn: 'cn=a1, OU=Users,dc=example', cn: 'a1', sn: ['alice'], mail: 'a@example.test' }

test('who is enabled: by words, by their opposite, by a bit, by a group', () => {
  const is = (options: Record<string, unknown>, more: object, open?: Set<string>) =>
    userOf({ ...entry, ...more }, ldapOptions(options), open)?.enabled
  for (const yes of ['TRUE', 'true', '1', 'yes']) assert.equal(is({}, { enabled: yes }), true, yes)
  for (const no of ['FALSE', 'false', '0', '', 'disabled']) assert.equal(is({}, { ENABLED: no }), false, no)
  assert.equal(is({}, {}), true)
  assert.equal(is({ user_enabled_default: 'False' }, {}), false)
  const inverted = {
    user_enabled_invert: 'True',
    user_enabled_attribute: 'nsAccountLock',
    user_enabled_default: 'False',
  }
  assert.equal(is(inverted, { nsaccountlock: 'TRUE' }), false)
  assert.equal(is(inverted, {}), true)
  const bits = { user_enabled_attribute: 'userAccountControl', user_enabled_mask: '2', user_enabled_default: '512' }
  assert.equal(is(bits, { userAccountControl: '512' }), true)
  assert.equal(is(bits, { userAccountControl: '514' }), false)
  assert.equal(is(bits, { userAccountControl: 'x' }), false)
  assert.equal(is(bits, {}), true)
  assert.equal(is({}, { enabled: 'FALSE' }, new Set([comparable('CN=A1,ou=users,DC=example')])), true)
  assert.equal(is({}, { enabled: 'TRUE' }, new Set()), false)
})

test('attributes go where the options say, and those to be ignored nowhere', () => {
  const options = ldapOptions({
    user_attribute_ignore: 'email, default_project_id',
    user_additional_attribute_mapping: ['title:position'],
    user_default_project_id_attribute: 'o',
  })
  const user = userOf({ ...entry, title: 'captain', o: 'p1' }, options)
  assert.deepEqual(user, {
    ...{ local_id: 'a1', name: 'alice', place: entry.dn, enabled: true, default_project_id: null },
    extra: { position: 'captain' },
  })
  assert.equal(userOf({ dn: 'cn=x', cn: 'x' }, options), undefined)
})

test('members by place, however it is written, or by id', () => {
  const user = userOf(entry, ldapOptions({}))!
  const group = groupOf({ dn: 'cn=g', cn: 'g', ou: 'crew', member: ['CN=a1,ou=users, dc=example'] }, ldapOptions({}))!
  assert.equal(isMember(group, user, ldapOptions({})), true)
  assert.equal(isMember({ ...group, members: ['a1'] }, user, ldapOptions({})), false)
  assert.equal(isMember({ ...group, members: ['a1'] }, user, ldapOptions({ group_members_are_ids: true })), true)
})
