/** Domains whose users are in LDAP, on a real OpenLDAP: who logs in, who does not any more, and what an attacker asks for. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import { Attribute, Change } from 'ldapts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { admin, slapd } from './fixtures/slapd.ts'

const person = (rdn: string, more: string[]) =>
  [`dn: ${rdn},dc=example,dc=test`, 'objectClass: inetOrgPerson', ...more].join('\n')

const ldif = [
  'dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example',
  ...['Users', 'UserGroups', 'Staff', 'Teams'].map(
    name => `dn: ou=${name},dc=example,dc=test\nobjectClass: organizationalUnit\nou: ${name}`,
  ),
  // The default mapping: id cn, name sn.
  person('cn=a1,ou=Users', ['cn: a1', 'sn: alice', 'mail: alice@example.test', 'userPassword: alice-password']),
  person('cn=b1,ou=Users', ['cn: b1', 'sn: bob', 'userPassword: bob-password']),
  'dn: cn=g1,ou=UserGroups,dc=example,dc=test\nobjectClass: groupOfNames\ncn: g1\nou: crew\nmember: cn=a1,ou=Users,dc=example,dc=test',
  // A tree of another shape: uid, an account of bits as Active Directory has it, groups of ids.
  person('uid=carol,ou=Staff', [
    'uid: carol',
    'cn: Carol',
    'sn: C',
    'employeeNumber: 512',
    'userPassword: carol-password',
  ]),
  person('uid=dave,ou=Staff', ['uid: dave', 'cn: Dave', 'sn: D', 'employeeNumber: 514', 'userPassword: dave-password']),
  'dn: cn=ops,ou=Teams,dc=example,dc=test\nobjectClass: posixGroup\ncn: ops\ngidNumber: 7\nmemberUid: carol',
].join('\n\n')

const server = await slapd(`${ldif}\n`)
after(() => server[Symbol.asyncDispose]())

const access = { url: server.url, user: admin.dn, password: admin.password, suffix: 'dc=example,dc=test' }
/** No attribute of inetOrgPerson says who may log in; this one serves. */
const plain = { ...access, user_enabled_attribute: 'employeeType' }
const staff = {
  ...access,
  ...{ user_tree_dn: 'ou=Staff,dc=example,dc=test', user_id_attribute: 'uid', user_name_attribute: 'uid' },
  ...{ user_enabled_attribute: 'employeeNumber', user_enabled_mask: 2, user_enabled_default: '512' },
  ...{ group_tree_dn: 'ou=Teams,dc=example,dc=test', group_objectclass: 'posixGroup', group_name_attribute: 'cn' },
  ...{ group_member_attribute: 'memberUid', group_members_are_ids: 'True', page_size: 100 },
}

type Ask = <T = Record<string, never>>(method: string, path: string, body?: object) => Promise<T>

/** A cloud with a domain `corp` that has a directory. */
async function corp(cloud: TestCloud, ldap: object) {
  const token = await cloud.login('admin')
  const send = (method: string, path: string, body?: object) =>
    cloud.request<Record<string, never>>(method, `/identity/v3/${path}`, { token, body })
  const ask = (async (method: string, path: string, body?: object) => {
    const answer = await send(method, path, body)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }) as Ask
  const { domain } = await ask<{ domain: { id: string } }>('POST', 'domains', { domain: { name: 'corp' } })
  await ask('PUT', `domains/${domain.id}/config`, { config: { identity: { driver: 'ldap' }, ldap } })
  return { ...(await corpOf(cloud, ask, domain.id)), send }
}

async function corpOf(cloud: TestCloud, ask: Ask, id: string) {
  const made = await ask<{ project: { id: string } }>('POST', 'projects', { project: { name: 'p', domain_id: id } })
  const { roles } = await ask<{ roles: { id: string }[] }>('GET', 'roles?name=member')
  const logIn = (name: string, password: unknown, scope: object | null = { project: { id: made.project.id } }) =>
    cloud.request<{ token: { user: { id: string }; roles: { name: string }[] } }>('POST', '/identity/v3/auth/tokens', {
      body: {
        auth: {
          identity: { methods: ['password'], password: { user: { name, domain: { name: 'corp' }, password } } },
          ...(scope && { scope }),
        },
      },
    })
  const list = async (kind: 'users' | 'groups') =>
    (await ask<Record<string, { id: string; name: string; email?: string }[]>>('GET', `${kind}?domain_id=${id}`))[kind]!
  return { ask, id, project: made.project.id, role: roles[0]!.id, logIn, list }
}

const modify = (dn: string, operation: 'add' | 'replace' | 'delete', type: string, values: string[]) =>
  server.client.modify(dn, [new Change({ operation, modification: new Attribute({ type, values }) })])

test('a user logs in by the password in LDAP, with roles that are here, own and by a group', async () => {
  await using cloud = await testCloud()
  const { ask, id, project, role, logIn, list } = await corp(cloud, plain)
  assert.equal((await logIn('alice', 'alice-password')).status, 401, 'no role yet')
  assert.equal((await logIn('alice', 'alice-password', null)).status, 201)
  const users = await list('users')
  assert.deepEqual(users.map(user => user.name).sort(), ['alice', 'bob'])
  const alice = users.find(user => user.name === 'alice')!
  assert.equal(alice.email, 'alice@example.test')
  assert.equal(alice.id, createHash('sha256').update(`${id}usera1`).digest('hex'), 'the id that upstream gives')
  await ask('PUT', `projects/${project}/users/${alice.id}/roles/${role}`)
  const own = await logIn('alice', 'alice-password')
  assert.equal(own.status, 201)
  assert.ok(own.headers['x-subject-token']!.length < 255)
  assert.equal((await cloud.env.authenticate(own.headers['x-subject-token']!))?.user_name, 'alice')
  await ask('DELETE', `projects/${project}/users/${alice.id}/roles/${role}`)
  const [crew] = await list('groups')
  assert.equal(crew!.name, 'crew')
  await ask('PUT', `projects/${project}/groups/${crew!.id}/roles/${role}`)
  assert.equal((await logIn('alice', 'alice-password')).status, 201)
  assert.equal((await logIn('bob', 'bob-password')).status, 401)
  const { users: members } = await ask<{ users: { name: string }[] }>('GET', `groups/${crew!.id}/users`)
  assert.deepEqual(
    members.map(user => user.name),
    ['alice'],
  )
})

onEachEngine('many who log in for the first time at once all get good tokens', async database => {
  await using cloud = await testCloud({ database })
  const { logIn } = await corp(cloud, plain)
  const answers = await Promise.all(Array.from({ length: 8 }, () => logIn('alice', 'alice-password', null)))
  for (const { status, headers } of answers) {
    assert.equal(status, 201)
    assert.ok(await cloud.env.authenticate(headers['x-subject-token']!))
  }
})

test('wrong passwords, none, and names that mean something to LDAP let nobody in', async () => {
  await using cloud = await testCloud()
  const { logIn } = await corp(cloud, plain)
  const names = [
    '*',
    'a*',
    'alice)(sn=*',
    '*)(objectClass=*',
    'alice)(|(cn=*))',
    '\\61lice',
    'alice\\2a',
    'nobody',
    'cn=a1',
  ]
  for (const name of names) {
    const { status, body } = await logIn(name, 'alice-password', null)
    assert.equal(status, 401, name)
    assert.ok(!JSON.stringify(body).includes('alice'), name)
  }
  for (const password of ['', ' ', 'bob-password', 'alice-password ']) {
    assert.equal((await logIn('alice', password, null)).status, 401, JSON.stringify(password))
  }
  assert.equal((await logIn('alice', 'alice-password', null)).status, 201)
})

test('attack 12: FALSE is no; who is closed, gone or out of a group in LDAP loses tokens at the next refresh', async () => {
  await using cloud = await testCloud()
  const { ask, project, role, logIn, list } = await corp(cloud, plain)
  const [crew] = await list('groups')
  await ask('PUT', `projects/${project}/groups/${crew!.id}/roles/${role}`)
  const token = async () => (await logIn('alice', 'alice-password')).headers['x-subject-token']!
  const refreshed = async (one: string) => {
    await cloud.reconcile('identity.directories')
    return (await cloud.env.authenticate(one)) !== undefined
  }
  const dn = 'cn=a1,ou=Users,dc=example,dc=test'
  const group = 'cn=g1,ou=UserGroups,dc=example,dc=test'
  const first = await token()
  assert.equal(await refreshed(first), true)
  await modify(dn, 'replace', 'employeeType', ['FALSE'])
  assert.equal(await refreshed(first), false)
  assert.equal((await logIn('alice', 'alice-password')).status, 401)
  await modify(dn, 'replace', 'employeeType', ['TRUE'])
  const second = await token()
  assert.equal(await refreshed(second), true)
  assert.equal(await refreshed(first), false, 'what ended stays ended')
  await modify(group, 'replace', 'member', ['cn=b1,ou=Users,dc=example,dc=test'])
  assert.equal(await refreshed(second), false)
  await modify(group, 'replace', 'member', [dn])
  const third = await token()
  await server.client.del(dn)
  assert.equal(await refreshed(third), false)
  assert.equal((await logIn('alice', 'alice-password')).status, 401)
  const entry = {
    objectClass: 'inetOrgPerson',
    cn: 'a1',
    sn: 'alice',
    userPassword: 'alice-password',
    mail: 'alice@example.test',
  }
  await server.client.add(dn, entry)
  const fourth = await token()
  assert.equal(await refreshed(fourth), true)
  assert.equal(await refreshed(third), false)
})

test('a tree of another shape, by options in the file; a bit closes an account, groups are of ids', async () => {
  const domains = JSON.stringify({ corp: { identity: { driver: 'ldap' }, ldap: staff } })
  await using cloud = await testCloud({ set: [`identity.domain_configs=${domains}`] })
  const token = await cloud.login('admin')
  const ask = (async (method: string, path: string, body?: object) =>
    (await cloud.request(method, `/identity/v3/${path}`, { token, body })).body) as Ask
  const { domain } = await ask<{ domain: { id: string } }>('POST', 'domains', { domain: { name: 'corp' } })
  const { project, role, logIn, list } = await corpOf(cloud, ask, domain.id)
  const [ops] = await list('groups')
  assert.equal(ops!.name, 'ops')
  await ask('PUT', `projects/${project}/groups/${ops!.id}/roles/${role}`)
  assert.equal((await logIn('carol', 'carol-password')).status, 201)
  assert.equal((await logIn('dave', 'dave-password', null)).status, 401)
  assert.deepEqual((await list('users')).map(user => user.name).sort(), ['carol', 'dave'])
})

test('what is in LDAP is not changed from here', async () => {
  await using cloud = await testCloud()
  const { id, send, list } = await corp(cloud, plain)
  const [[user], [group]] = [await list('users'), await list('groups')]
  for (const [method, path, body] of [
    ['POST', 'users', { user: { name: 'eve', domain_id: id, password: 'x' } }],
    ['PATCH', `users/${user!.id}`, { user: { enabled: true } }],
    ['DELETE', `users/${user!.id}`, undefined],
    ['POST', `users/${user!.id}/password`, { user: { original_password: 'alice-password', password: 'x' } }],
    ['POST', 'groups', { group: { name: 'eve', domain_id: id } }],
    ['PATCH', `groups/${group!.id}`, { group: { description: 'x' } }],
    ['DELETE', `groups/${group!.id}`, undefined],
    ['PUT', `groups/${group!.id}/users/${user!.id}`, undefined],
  ] as const) {
    assert.equal((await send(method, path, body)).status, 403, `${method} ${path}`)
  }
})

test('a server that is away is a 503 for its users and nothing for others; when it is back all is well', async () => {
  await using cloud = await testCloud({ set: ['identity.directory_timeout_seconds=2'] })
  const { logIn, send, id } = await corp(cloud, plain)
  assert.equal((await logIn('bob', 'bob-password', null)).status, 201)
  const token = (await logIn('bob', 'bob-password', null)).headers['x-subject-token']!
  await server.stop()
  try {
    assert.equal((await logIn('bob', 'bob-password', null)).status, 503)
    await cloud.reconcile('identity.directories')
    assert.ok(await cloud.env.authenticate(token), 'nobody is logged out by it')
    assert.ok(await cloud.login('demo'))
  } finally {
    await server.start()
  }
  assert.equal((await logIn('bob', 'bob-password', null)).status, 201)
  const wrong = { config: { ldap: { password: 'wrong' } } }
  assert.equal((await send('PATCH', `domains/${id}/config`, wrong)).status, 200)
  assert.equal((await logIn('bob', 'bob-password', null)).status, 503)
})

test('with TLS, the certificate is checked, and is of the host that was asked for', async () => {
  await using cloud = await testCloud()
  const byName = server.url.replace('127.0.0.1', 'localhost')
  const secure = { ...plain, url: byName, use_tls: true, tls_cacertfile: server.authority }
  const { logIn, ask, id } = await corp(cloud, secure)
  assert.equal((await logIn('bob', 'bob-password', null)).status, 201)
  const status = async (ldap: object) => {
    await ask('PATCH', `domains/${id}/config`, { config: { ldap } })
    return (await logIn('bob', 'bob-password', null)).status
  }
  assert.equal(await status({ url: server.url }), 503, 'the certificate is not of 127.0.0.1')
  assert.equal(await status({ url: byName, tls_cacertfile: null }), 503, 'nobody known has signed it')
  assert.equal(await status({ tls_req_cert: 'never' }), 201)
})

test('more groups than one question may bring is an error, never fewer groups', async () => {
  const groups = Array.from(
    { length: 1001 },
    (_, i) =>
      `dn: cn=x${i},ou=UserGroups,dc=example,dc=test\nobjectClass: groupOfNames\ncn: x${i}\nou: x${i}\nmember: cn=a1,ou=Users,dc=example,dc=test`,
  )
  await using big = await slapd(`${[ldif, ...groups].join('\n\n')}\n`)
  // OpenLDAP itself gives those who are not its administrator 500 entries.
  const asBob = { user: 'cn=b1,ou=Users,dc=example,dc=test', password: 'bob-password' }
  for (const more of [{ page_size: 0 }, { page_size: 100 }, { page_size: 0, ...asBob }, { page_size: 100, ...asBob }]) {
    await using cloud = await testCloud({ set: ['identity.directory_entries=1000'] })
    const { logIn, send, id } = await corp(cloud, { ...plain, url: big.url, ...more })
    assert.equal((await logIn('alice', 'alice-password', null)).status, 503, JSON.stringify(more))
    assert.equal((await send('GET', `groups?domain_id=${id}`)).status, 503)
    assert.equal((await logIn('bob', 'bob-password', null)).status, 201, 'who is in few groups comes in')
  }
})

test('a server that asks for a certificate of the cloud gets it', async () => {
  await using strict = await slapd(`${ldif}\n`, ['TLSVerifyClient demand', 'security simple_bind=0'])
  const access = { ...plain, url: strict.url.replace('127.0.0.1', 'localhost'), use_tls: true }
  const known = { ...access, tls_cacertfile: strict.authority }
  for (const [ldap, status] of [
    [known, 503],
    [{ ...known, tls_certfile: strict.certificate, tls_keyfile: strict.key }, 201],
  ] as const) {
    const domains = JSON.stringify({ corp: { identity: { driver: 'ldap' }, ldap } })
    await using cloud = await testCloud({ set: [`identity.domain_configs=${domains}`] })
    const token = await cloud.login('admin')
    const body = { domain: { name: 'corp' } }
    assert.equal((await cloud.request('POST', '/identity/v3/domains', { token, body })).status, 201)
    const user = { name: 'bob', domain: { name: 'corp' }, password: 'bob-password' }
    const auth = { identity: { methods: ['password'], password: { user } } }
    assert.equal((await cloud.request('POST', '/identity/v3/auth/tokens', { body: { auth } })).status, status)
  }
})
