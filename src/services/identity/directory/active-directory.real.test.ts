/** A domain whose users are in Active Directory, on a real domain controller of Samba: who logs in, and what groups in groups give. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Attribute, Change } from 'ldapts'
import { testCloud } from '../../../../test/harness.ts'
import { admin, samba, suffix, unicodePassword } from './fixtures/samba.ts'

const server = await samba('127.77.42.1')
after(() => server[Symbol.asyncDispose]())

const place = (name: string) => `CN=${name},CN=Users,${suffix}`

async function addUser(name: string, cn: string, control: number): Promise<void> {
  await server.client.add(place(cn), {
    ...{ objectClass: ['top', 'person', 'organizationalPerson', 'user'], sAMAccountName: name },
    ...{ userPrincipalName: `${name}@corp.test`, mail: `${name}@corp.test`, userAccountControl: String(control) },
    unicodePwd: unicodePassword(`Secret-of-${name}-1`) as unknown as string,
  })
}

const addGroup = (name: string, members: string[]) =>
  server.client.add(place(name), { objectClass: ['top', 'group'], sAMAccountName: name, member: members.map(place) })

const change = (name: string, operation: 'replace' | 'delete', type: string, values: string[]) =>
  server.client.modify(place(name), [new Change({ operation, modification: new Attribute({ type, values }) })])

await addUser('alice', 'Alice Archer', 512)
await addUser('bob', 'Bob Baker', 514)
await addUser('carol', 'Carol (C*) Clark', 512)
await addGroup('riggers', ['Alice Archer'])
await addGroup('crew', ['riggers'])

const ldap = {
  ...{ url: server.url, user: admin.dn, password: admin.password, suffix, tls_cacertfile: server.authority },
  ...{ user_tree_dn: `CN=Users,${suffix}`, user_objectclass: 'person', user_id_attribute: 'cn' },
  ...{ user_name_attribute: 'sAMAccountName', user_enabled_attribute: 'userAccountControl', user_enabled_mask: 2 },
  ...{ user_enabled_default: '512', group_tree_dn: `CN=Users,${suffix}`, group_objectclass: 'group' },
  ...{ group_id_attribute: 'cn', group_name_attribute: 'sAMAccountName', group_ad_nesting: true, page_size: 10 },
}

async function corp() {
  const domains = { corp: { identity: { driver: 'ldap' }, ldap } }
  const cloud = await testCloud({ set: [`identity.domain_configs=${JSON.stringify(domains)}`] })
  const token = await cloud.login('admin')
  const ask = async <T>(method: string, path: string, body?: object) => {
    const answer = await cloud.request<T>(method, `/identity/v3/${path}`, { token, ...(body && { body }) })
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const { domain } = await ask<{ domain: { id: string } }>('POST', 'domains', { domain: { name: 'corp' } })
  const { project } = await ask<{ project: { id: string } }>('POST', 'projects', {
    project: { name: 'p', domain_id: domain.id },
  })
  const { roles } = await ask<{ roles: { id: string }[] }>('GET', 'roles?name=member')
  const { groups } = await ask<{ groups: { id: string; name: string }[] }>('GET', `groups?domain_id=${domain.id}`)
  const group = (name: string) => groups.find(one => one.name === name)!
  await ask('PUT', `projects/${project.id}/groups/${group('crew').id}/roles/${roles[0]!.id}`)
  const logIn = async (name: string, password: string, scoped = true) => {
    const user = { name, domain: { name: 'corp' }, password }
    const identity = { methods: ['password'], password: { user } }
    const auth = { identity, ...(scoped && { scope: { project: { id: project.id } } }) }
    const { status, headers } = await cloud.request('POST', '/identity/v3/auth/tokens', { body: { auth } })
    return status === 201 ? headers['x-subject-token']! : status
  }
  return { cloud, ask, group, logIn, domain, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

test('a user of Active Directory logs in by sAMAccountName, a closed account does not (S-276)', async () => {
  await using s = await corp()
  assert.equal(typeof (await s.logIn('alice', 'Secret-of-alice-1', false)), 'string')
  assert.equal(await s.logIn('bob', 'Secret-of-bob-1', false), 401)
  assert.equal(await s.logIn('alice', 'Secret-of-bob-1', false), 401)
  assert.equal(await s.logIn('Alice Archer', 'Secret-of-alice-1', false), 401)
  assert.equal(typeof (await s.logIn('carol', 'Secret-of-carol-1', false)), 'string')
  const { users } = await s.ask<{ users: { name: string; enabled: boolean; email?: string }[] }>(
    'GET',
    `users?domain_id=${s.domain.id}`,
  )
  const bob = users.find(user => user.name === 'bob')!
  assert.deepEqual([bob.enabled, bob.email], [false, 'bob@corp.test'])
})

test('a role of a group reaches members of the groups in it, and stays at the next refresh', async () => {
  await using s = await corp()
  const token = await s.logIn('alice', 'Secret-of-alice-1')
  assert.equal(typeof token, 'string')
  assert.equal(await s.logIn('carol', 'Secret-of-carol-1'), 401, 'in no group')
  await s.cloud.reconcile('identity.directories')
  assert.ok(await s.cloud.env.authenticate(String(token)))
  const { users } = await s.ask<{ users: { name: string }[] }>('GET', `groups/${s.group('crew').id}/users`)
  assert.deepEqual(
    users.map(user => user.name),
    ['alice'],
  )
  await change('riggers', 'delete', 'member', [place('Alice Archer')])
  await s.cloud.reconcile('identity.directories')
  assert.equal(await s.cloud.env.authenticate(String(token)), undefined)
  assert.equal(await s.logIn('alice', 'Secret-of-alice-1'), 401)
})

test('an account that is closed there loses its tokens here', async () => {
  await using s = await corp()
  const token = await s.logIn('carol', 'Secret-of-carol-1', false)
  await change('Carol (C*) Clark', 'replace', 'userAccountControl', ['514'])
  await s.cloud.reconcile('identity.directories')
  assert.equal(await s.cloud.env.authenticate(String(token)), undefined)
  assert.equal(await s.logIn('carol', 'Secret-of-carol-1', false), 401)
})
