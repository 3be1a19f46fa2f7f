/** SAML 2.0: who gets in by an assertion, what no forged, borrowed or old one gets, and two clouds that trust each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import { onEachEngine } from '../../../../test/engines.ts'
import { testCloud } from '../../../../test/harness.ts'
import {
  dashboard,
  federated,
  forger,
  formOf,
  keyPair,
  path,
  post,
  postEcp,
  recipient,
  response,
  sso,
  toAssert,
} from './fixtures/university.ts'
import { ecpResponse, responseXml, type ToAssert } from './saml-xml.ts'

onEachEngine('an assertion lets in, once', async database => {
  await using cloud = await federated({}, { database })
  const xml = response({
    attributes: {
      openstack_user: ['carol & "co" <x>'],
      openstack_groups: ['JSON:{"name":"staff","domain":{"name":"Default"}}'],
    },
  })
  const { status, headers, body } = await post(cloud, xml)
  assert.equal(status, 201, JSON.stringify(body))
  assert.deepEqual(body.token.methods, ['saml2'])
  assert.equal(body.token.user.name, 'carol & "co" <x>')
  assert.equal(body.token.user['OS-FEDERATION'].groups.length, 1)
  const token = headers['x-subject-token']!
  assert.equal((await cloud.request('GET', '/identity/v3/auth/projects', { token })).status, 200)
  assert.equal((await post(cloud, xml)).status, 401, 'again')
  assert.equal((await postEcp(cloud, ecpResponse(xml, 'ss:mem:x'))).status, 401, 'again, another way')
  assert.equal((await postEcp(cloud, ecpResponse(response(), 'ss:mem:x'))).status, 201)
})

test('what another made, changed, meant for others, or for another time', async () => {
  await using cloud = await federated()
  const good = response()
  const minute = 60_000
  const now = Date.now()
  const bad: Record<string, string> = {
    unsigned: responseXml(toAssert()),
    'the signature taken out': good.replace(/<(\w+:)?Signature .*<\/(\w+:)?Signature>/s, ''),
    'another’s signature': response({}, forger),
    'another name': good.replaceAll('carol', 'admin'),
    'another time': good.replace(/NotOnOrAfter="2/g, 'NotOnOrAfter="3'),
    'another audience': response({ audience: 'https://another.test' }),
    'no audience': response({ audience: undefined }),
    'another recipient': response({ recipient: `${recipient}/x` }),
    'another issuer': response({ issuer: 'https://idp.evil.test' }),
    'an answer to nobody’s question': response({ in_response_to: '_gAAAAABinvented' }),
    over: response({ now: now - 10 * minute, until: now - minute }),
    'not yet': response({ now: now + 10 * minute, until: now + 20 * minute }),
    'no assertion': responseXml(toAssert()).replace(/<saml:Assertion.*<\/saml:Assertion>/s, ''),
    'not XML': 'good morning',
  }
  for (const [what, xml] of Object.entries(bad)) {
    assert.equal((await post(cloud, xml)).status, 401, what)
  }
  assert.equal((await post(cloud, good)).status, 201, 'the good one still is')
})

/** The parts of a signed response. */
function parts(xml: string) {
  const assertion = /<saml:Assertion.*<\/saml:Assertion>/s.exec(xml)![0]
  const signature = /<(?:\w+:)?Signature .*<\/(?:\w+:)?Signature>/s.exec(assertion)![0]
  const evil = assertion.replace(signature, '').replaceAll('carol', 'mallory')
  return { assertion, signature, evil }
}

test('a signature that is there, but over something else (wrapping)', async () => {
  await using cloud = await federated()
  const wrapped: Record<string, (xml: string) => string> = {
    'another assertion before': xml => {
      const { assertion, evil } = parts(xml)
      return xml.replace(assertion, evil.replace(/ID="_a/, 'ID="_b') + assertion)
    },
    'another assertion behind': xml => {
      const { assertion, evil } = parts(xml)
      return xml.replace(assertion, assertion + evil.replace(/ID="_a/, 'ID="_b'))
    },
    'with the same id': xml => {
      const { assertion, evil } = parts(xml)
      return xml.replace(assertion, evil + assertion)
    },
    'the real one inside its signature': xml => {
      const { assertion, signature, evil } = parts(xml)
      const bare = assertion.replace(signature, '')
      const holding = signature.replace(/<\/(\w+:)?Signature>$/, end => `<Object>${bare}</Object>${end}`)
      return xml.replace(
        assertion,
        evil.replace(/ID="_a/, 'ID="_b').replace('<saml:Subject>', `${holding}<saml:Subject>`),
      )
    },
    'the real one in an extension': xml => {
      const { assertion, evil } = parts(xml)
      const aside = `<samlp:Extensions>${assertion}</samlp:Extensions>`
      return xml
        .replace('<samlp:Status>', `${aside}<samlp:Status>`)
        .replace(/<\/samlp:Status>.*/s, end => end.replace(assertion, evil))
    },
    'the real one inside the other': xml => {
      const { assertion, evil } = parts(xml)
      return xml.replace(
        assertion,
        evil
          .replace(/ID="_a/, 'ID="_b')
          .replace('</saml:Assertion>', `<saml:Advice>${assertion}</saml:Advice></saml:Assertion>`),
      )
    },
  }
  for (const [what, wrap] of Object.entries(wrapped)) {
    const xml = wrap(response())
    assert.match(xml, />mallory<.*<(\w+:)?SignatureValue|SignatureValue>.*>mallory</s, what)
    assert.equal((await post(cloud, xml)).status, 401, what)
  }
})

test('a comment cuts no name short', async () => {
  await using cloud = await federated()
  // The signature does not cover comments: a name with one in it must not become the part before it.
  const xml = response({ attributes: { uid: ['carol.evil.test'] } }).replace('carol.evil', 'carol<!-- -->.evil')
  const { status, body } = await post(cloud, xml)
  assert.ok(status === 401 || body.token.user.name === 'carol.evil.test', JSON.stringify(body))
})

test('entities are not read, and nothing that is too much', async () => {
  await using cloud = await federated()
  const good = response()
  const laughs = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('')
  for (const doctype of [
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    `<!DOCTYPE r [<!ENTITY l0 "ha">${laughs}]>`,
    '<!doctype r SYSTEM "http://127.0.0.1:1/evil.dtd">',
  ]) {
    const xml = doctype + good.replace('>carol<', '>&x;&l9;<')
    assert.equal((await post(cloud, xml)).status, 401, doctype.slice(0, 30))
    assert.equal((await postEcp(cloud, doctype + ecpResponse(good, 'x'))).status, 401)
  }
  const deep = `${'<a>'.repeat(15_000)}${'</a>'.repeat(15_000)}`
  assert.equal((await post(cloud, deep)).status, 401)
  assert.equal((await postEcp(cloud, deep)).status, 400)
  assert.equal((await post(cloud, 'x'.repeat(300_000))).status, 413)
  const many = { uid: Array.from({ length: 6000 }, (_, i) => String(i)) }
  assert.ok([401, 413].includes((await post(cloud, response({ attributes: many }))).status))
})

test('an upstream Keystone names no audience: that is taken when the operator says so, another audience never', async () => {
  await using cloud = await federated({ allow_any_audience: true })
  assert.equal((await post(cloud, response({ audience: undefined }))).status, 201)
  assert.equal((await post(cloud, response({ audience: 'https://another.test' }))).status, 401)
  assert.equal((await post(cloud, response({ audience: undefined, recipient: 'https://x.test' }))).status, 401)
})

test('a client that is no browser is asked, and answers with what its identity provider says', async () => {
  await using cloud = await federated()
  const ask = () =>
    cloud.request<string>('GET', path, {
      headers: { accept: 'application/json,application/vnd.paos+xml', paos: 'ver="x"' },
    })
  const asked = await ask()
  assert.equal(asked.status, 200)
  assert.equal(asked.headers['content-type'], 'application/vnd.paos+xml')
  assert.match(asked.body, new RegExp(`responseConsumerURL="${recipient}"`))
  const id = /<samlp:AuthnRequest [^>]*ID="([^"]+)"/.exec(asked.body)![1]!
  const answered = await postEcp(cloud, ecpResponse(response({ in_response_to: id }), 'ss:mem:x'))
  assert.equal(answered.status, 201)
  const forged = response({ in_response_to: `${id.slice(0, -4)}AAAA` })
  assert.equal((await postEcp(cloud, ecpResponse(forged, 'ss:mem:x'))).status, 401)
  assert.equal((await cloud.request('GET', path)).status, 401, 'a browser is not')
})

test('a browser goes to the identity provider and back to the dashboard', async () => {
  await using cloud = await federated()
  const begin = () => cloud.request('GET', `${sso}?origin=${encodeURIComponent(dashboard)}`)
  const sent = await begin()
  assert.equal(sent.status, 302)
  const address = new URL(sent.headers.location!)
  assert.equal(address.origin + address.pathname, 'https://idp.university.test/sso')
  const request = inflateRawSync(Buffer.from(address.searchParams.get('SAMLRequest')!, 'base64')).toString()
  const id = /ID="([^"]+)"/.exec(request)![1]!
  const back = `http://cloud.test${sso}`
  assert.match(request, new RegExp(`AssertionConsumerServiceURL="${back}"`))
  const RelayState = address.searchParams.get('RelayState')!
  const cookie = String(sent.headers['set-cookie']).split(';')[0]!
  const finish = async (more: Partial<ToAssert>, relay = RelayState, cookies = cookie) =>
    cloud.request<string>('POST', sso, {
      body: formOf(response({ recipient: back, in_response_to: id, ...more }), { RelayState: relay }),
      headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: cookies },
    })
  assert.equal((await finish({ in_response_to: '_another' })).status, 401)
  assert.equal((await finish({ recipient })).status, 401, 'one for the command line')
  assert.equal((await finish({}, 'another')).status, 401)
  assert.equal((await finish({}, RelayState, '')).status, 401)
  const other = String((await begin()).headers['set-cookie']).split(';')[0]!
  assert.equal((await finish({}, RelayState, other)).status, 401)
  const arrived = await finish({})
  assert.equal(arrived.status, 200)
  assert.match(arrived.body, new RegExp(`action="${dashboard}"`))
})

test('two clouds: a user of one works in the other', async () => {
  const home = keyPair('home')
  const homeEntity = 'http://home.test/identity/v3/OS-FEDERATION/saml2/metadata'
  await using away = await federated({ entity_id: homeEntity, certificate_files: [home.certificate_file] })
  await using cloud = await testCloud({
    set: [
      'cloud.public_url=http://home.test',
      `identity.federation.issuer_certificate_file=${home.certificate_file}`,
      `identity.federation.issuer_key_file=${home.key_file}`,
    ],
  })
  const awayAdmin = await away.login('admin')
  await away.request('PATCH', '/identity/v3/OS-FEDERATION/identity_providers/university', {
    token: awayAdmin,
    body: { identity_provider: { remote_ids: [homeEntity] } },
  })
  const local = [{ user: { name: '{0}' } }, { groups: '{1}', domain: { id: 'default' } }]
  const k2k = [{ remote: [{ type: 'openstack_user' }, { type: 'openstack_roles' }], local }]
  await away.request('PATCH', '/identity/v3/OS-FEDERATION/mappings/people', {
    token: awayAdmin,
    body: { mapping: { rules: k2k } },
  })
  const admin = await cloud.login('admin')
  const provider = (body: object, id = 'away') =>
    cloud.request('PUT', `/identity/v3/OS-FEDERATION/service_providers/${id}`, {
      token: admin,
      body: { service_provider: { auth_url: recipient, sp_url: recipient, ...body } },
    })
  await provider({ enabled: true })
  await provider({ enabled: false }, 'closed')
  const demo = await cloud.login('demo')
  const ask = (token: string, id: string, suffix = '/ecp') =>
    cloud.request<string>('POST', `/identity/v3/auth/OS-FEDERATION/saml2${suffix}`, {
      body: { auth: { identity: { methods: ['token'], token: { id: token } }, scope: { service_provider: { id } } } },
    })
  const told = await ask(demo, 'away')
  assert.equal(told.status, 200, JSON.stringify(told.body))
  assert.equal(told.headers['content-type'], 'text/xml')
  assert.equal(told.headers['x-sp-url'], recipient)
  assert.match(told.body, /ss:mem:[0-9a-f]{32}</)
  const { status, body } = await postEcp(away, told.body)
  assert.equal(status, 201, JSON.stringify(body))
  assert.equal(body.token.user.name, 'demo')
  assert.equal((await postEcp(away, told.body)).status, 401, 'overheard')

  const plain = await ask(demo, 'away', '')
  assert.match(plain.body, /^<samlp:Response/)
  assert.equal((await post(away, plain.body)).status, 201)

  assert.equal((await ask(await cloud.login('demo', 'unscoped'), 'away')).status, 403)
  assert.equal((await ask(demo, 'closed')).status, 403)
  assert.equal((await ask(demo, 'nowhere')).status, 404)
  assert.equal((await ask('gAAAAABinvented', 'away')).status, 404)
  const metadata = await cloud.request<string>('GET', '/identity/v3/OS-FEDERATION/saml2/metadata')
  assert.match(metadata.body, new RegExp(`entityID="${homeEntity}"`))
  const none = await away.request('GET', '/identity/v3/OS-FEDERATION/saml2/metadata')
  assert.equal(none.status, 501)
})

onEachEngine(
  'a user whom the API made beforehand is who the provider says, and keeps name and roles',
  async database => {
    await using cloud = await federated({}, { database })
    const token = await cloud.login('admin')
    const ask = <T>(method: string, path: string, body?: object) =>
      cloud.request<T>(method, `/identity/v3/${path}`, { token, ...(body && { body }) })
    type One = { user: { id: string; federated?: object[] } }
    const known = [{ idp_id: 'university', protocols: [{ protocol_id: 'saml2', unique_id: 'carol' }] }]
    const made = await ask<One>('POST', 'users', { user: { name: 'dr-carol', federated: known } })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    assert.deepEqual(made.body.user.federated, known)
    const { id } = made.body.user
    assert.deepEqual((await ask<One>('GET', `users/${id}`)).body.user.federated, known)
    const found = await ask<{ users: { id: string }[] }>('GET', 'users?idp_id=university&unique_id=carol')
    assert.deepEqual(
      found.body.users.map(user => user.id),
      [id],
    )
    const { status, body } = await post(cloud, response())
    assert.equal(status, 201, JSON.stringify(body))
    assert.deepEqual([body.token.user.id, body.token.user.name], [id, 'dr-carol'])
    assert.equal((await ask('POST', 'users', { user: { name: 'other', federated: known } })).status, 409)
    for (const wrong of [
      [{ idp_id: 'nowhere', protocols: known[0]!.protocols }],
      [{ idp_id: 'university', protocols: [{ protocol_id: 'smoke', unique_id: 'x' }] }],
      [{ idp_id: 'university' }],
    ]) {
      assert.equal((await ask('PATCH', `users/${id}`, { user: { federated: wrong } })).status, 400)
    }
    const cleared = await ask<One>('PATCH', `users/${id}`, { user: { federated: [] } })
    assert.deepEqual([cleared.status, cleared.body.user.federated], [200, undefined])
    assert.notEqual((await post(cloud, response())).body.token.user.id, id)
  },
)
