/** Single logout of SAML: a login ends at both ends wherever it is ended, and by nobody's word but the provider's. */
import assert from 'node:assert/strict'
import { createVerify } from 'node:crypto'
import { test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import { onEachEngine } from '../../../../test/engines.ts'
import { freePort } from '../../../../test/free-port.ts'
import { type TestCloud, type TestCloudOptions, testCloud } from '../../../../test/harness.ts'
import { endedAmong } from '../federated-token.ts'
import { base32, totpCode } from '../totp.ts'
import {
  dashboard,
  entity,
  federated,
  forger,
  keyPair,
  path as loginPath,
  post,
  postEcp,
  recipient,
  response,
  university,
} from './fixtures/university.ts'
import { logoutRequestXml, redirectWith, signedSoap, type ToLogOut } from './saml-logout-message.ts'
import { toldSessions } from './store.ts'

const ours = keyPair('ours')
const path = '/identity/v3/auth/OS-FEDERATION/identity_providers/university/protocols/saml2/logout'
const address = `http://cloud.test${path}`
const sloUrl = 'https://idp.university.test/slo'

const withLogout = (options: TestCloudOptions = {}) =>
  federated({ slo_url: sloUrl, own_key_file: ours.key_file }, options)

let count = 0

function request(more: Partial<ToLogOut> = {}): string {
  count++
  return logoutRequestXml({
    ...{ id: `_q${count}`, issuer: entity, destination: address, now: Date.now() },
    ...{ subject: { text: 'carol' }, session_index: '', ...more },
  })
}

/** As the university's redirect brings it. */
const arriving = (xml: string, { key } = university) =>
  redirectWith(path.replace(/^/, 'http://cloud.test'), xml, { key, relay: 'r 1' })

/** The same with another message before it, by a name that is the same once it is decoded. */
const disguised = (location: string, xml: string) =>
  location.replace(
    '?',
    `?SAML%52equest=${encodeURIComponent(new URL(arriving(xml)).searchParams.get('SAMLRequest')!)}&`,
  )

const follow = (cloud: TestCloud, location: string) => cloud.request('GET', location.replace('http://cloud.test', ''))

async function login(cloud: TestCloud, session: string): Promise<string> {
  const { status, headers, body } = await post(cloud, response({ session }))
  assert.equal(status, 201, JSON.stringify(body))
  return headers['x-subject-token']!
}

async function again(cloud: TestCloud, token: string): Promise<string> {
  const auth = { identity: { methods: ['token'], token: { id: token } }, scope: 'unscoped' }
  return (await cloud.request('POST', '/identity/v3/auth/tokens', { body: { auth } })).headers['x-subject-token']!
}

const isGood = async (cloud: TestCloud, token: string) => (await cloud.env.authenticate(token)) !== undefined

/** Throws unless the address carries something that the key has signed; returns its XML. */
function signedBy(location: string, certificate: string, name: string): string {
  const url = new URL(location)
  const text = url.search.slice(1, url.search.indexOf('&Signature='))
  const signature = Buffer.from(url.searchParams.get('Signature')!, 'base64')
  assert.ok(createVerify('sha256').update(text).verify(certificate, signature), 'signed')
  return inflateRawSync(Buffer.from(url.searchParams.get(name)!, 'base64')).toString()
}

onEachEngine(
  'a logout at the provider ends the token of that login, what was made from it, and nothing else',
  async database => {
    await using cloud = await withLogout({ database })
    const [mine, other] = [await login(cloud, '_s-mine'), await login(cloud, '_s-other')]
    const derived = await again(cloud, mine)
    const told = await follow(cloud, arriving(request({ session_index: '_s-mine', id: '_asked' })))
    assert.equal(told.status, 302, JSON.stringify(told.body))
    assert.equal(new URL(told.headers.location!).searchParams.get('RelayState'), 'r 1')
    const answer = signedBy(told.headers.location!, ours.certificate, 'SAMLResponse')
    assert.match(answer, /<ns0:LogoutResponse .*Destination="https:\/\/idp.university.test\/slo" InResponseTo="_asked"/)
    assert.match(answer, /status:Success/)
    for (const token of [mine, derived]) assert.equal(await isGood(cloud, token), false)
    assert.ok(await isGood(cloud, other))
    // Without an index all logins of the subject are meant.
    assert.equal((await follow(cloud, arriving(request()))).status, 302)
    assert.equal(await isGood(cloud, other), false)
  },
)

test('a request may name several logins; what was put into its signature names none', async () => {
  await using cloud = await withLogout()
  const [first, second, third] = [
    await login(cloud, '_s-1'),
    await login(cloud, '_s-2'),
    await login(cloud, '_s-3'),
  ] as const
  const more = (index: string) => `<ns0:SessionIndex>${index}</ns0:SessionIndex>`
  const asked = request({ session_index: '_s-1' }).replace('</ns0:LogoutRequest>', `${more('_s-2')}$&`)
  const smuggled = signedSoap(asked, university.key).replace('</ns2:Signature>', `<Object>${more('_s-3')}</Object>$&`)
  assert.match(smuggled, /<Object>.*_s-3/)
  const headers = { 'content-type': 'text/xml' }
  assert.equal((await cloud.request('POST', path, { body: smuggled, headers })).status, 200)
  for (const token of [first, second]) assert.equal(await isGood(cloud, token), false)
  assert.ok(await isGood(cloud, third))
})

test('a form and SOAP bring it too, and SOAP has its answer at once', async () => {
  await using cloud = await withLogout()
  const [first, second] = [await login(cloud, '_s-first'), await login(cloud, '_s-second')]
  const enveloped = signedSoap(request({ session_index: '_s-first' }), university.key)
  const send = (body: string, type: string) =>
    cloud.request<string>('POST', path, { body, headers: { 'content-type': type } })
  const answered = await send(enveloped, 'text/xml; charset=utf-8')
  assert.equal(answered.status, 200, answered.body)
  assert.match(answered.body, /LogoutResponse.*<(\w+:)?SignatureValue>.*status:Success/s)
  assert.equal(await isGood(cloud, first), false)
  const xml = signedSoap(request({ session_index: '_s-second' }), university.key)
    .replace(/^.*<S:Body>/s, '')
    .replace('</S:Body></S:Envelope>', '')
  const form = new URLSearchParams({ SAMLRequest: Buffer.from(xml).toString('base64') }).toString()
  assert.equal((await send(form, 'application/x-www-form-urlencoded')).status, 302)
  assert.equal(await isGood(cloud, second), false)
})

test('a request that is not signed, not the provider’s, not for us, old, or shown twice ends nothing', async () => {
  await using cloud = await withLogout()
  const token = await login(cloud, '_s1')
  const good = arriving(request({ subject: { text: 'nobody' } }))
  const unsigned = new URL(arriving(request()))
  unsigned.searchParams.delete('Signature')
  const swapped = new URL(good)
  swapped.searchParams.set('SAMLRequest', new URL(arriving(request())).searchParams.get('SAMLRequest')!)
  const old = arriving(request({ now: Date.now() - 600_000 }))
  const bad: Record<string, string> = {
    unsigned: unsigned.href,
    'unsigned, without a word of it': unsigned.href.replace(/&SigAlg=[^&]*/, ''),
    'another’s signature': arriving(request(), forger),
    'the signature of another message': swapped.href,
    'two messages': `${good}&SAMLRequest=${encodeURIComponent(swapped.searchParams.get('SAMLRequest')!)}`,
    'two messages, one by a name in disguise': disguised(old, request()),
    'another provider': arriving(request({ issuer: 'https://idp.evil.test' })),
    'for another': arriving(request({ destination: 'https://another.test/logout' })),
    old,
    'of tomorrow': arriving(request({ now: Date.now() + 86_400_000 })),
    'not XML': `${path}?SAMLRequest=AAAA&SigAlg=x&Signature=x`,
  }
  for (const [what, location] of Object.entries(bad)) {
    assert.equal((await follow(cloud, location)).status, 401, what)
  }
  const soap = (xml: string) => cloud.request('POST', path, { body: xml, headers: { 'content-type': 'text/xml' } })
  const fine = signedSoap(request(), university.key)
  assert.equal((await soap(fine.replace('carol', 'dave'))).status, 401, 'changed')
  assert.equal(
    (await soap(fine.replace(/<ns2:Signature .*<\/ns2:Signature>/s, ''))).status,
    401,
    'the signature taken out',
  )
  assert.equal((await soap(signedSoap(request(), forger.key))).status, 401)
  assert.equal((await soap(`<!DOCTYPE x [<!ENTITY y "z">]>${fine}`)).status, 401)
  assert.ok(await isGood(cloud, token))
  assert.equal((await follow(cloud, good)).status, 302)
  assert.equal((await follow(cloud, good)).status, 401, 'again')
})

test('a logout that begins here goes on to the provider and comes back to the dashboard', async () => {
  await using cloud = await withLogout()
  const token = await login(cloud, '_s1')
  const derived = await again(cloud, token)
  const begin = (form: Record<string, string>) =>
    cloud.request('POST', path, {
      body: new URLSearchParams(form).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
  assert.equal((await begin({ token, origin: 'https://evil.test/' })).status, 401)
  assert.equal((await begin({ token: 'gAAAAABinvented', origin: dashboard })).status, 401)
  assert.equal((await begin({ token: await cloud.login('demo'), origin: dashboard })).status, 401, 'no login of theirs')
  assert.ok(await isGood(cloud, token))
  const home = new URL('/', dashboard).href
  const sent = await begin({ token: derived, origin: home })
  assert.equal(sent.status, 302, JSON.stringify(sent.body))
  for (const one of [token, derived]) assert.equal(await isGood(cloud, one), false)
  const { location } = sent.headers
  assert.ok(location!.startsWith(`${sloUrl}?`))
  const xml = signedBy(location!, ours.certificate, 'SAMLRequest')
  assert.match(xml, /<ns1:NameID>carol<\/ns1:NameID><ns0:SessionIndex>_s1</)
  const relay = new URL(location!).searchParams.get('RelayState')!
  const back = (state: string, cookie?: string) =>
    cloud.request('GET', `${path}?SAMLResponse=x&RelayState=${state}`, { headers: cookie ? { cookie } : {} })
  const cookie = String(sent.headers['set-cookie']).split(';')[0]!
  assert.equal((await back(relay)).status, 401)
  assert.equal((await back('another', cookie)).status, 401)
  const arrived = await back(relay, cookie)
  assert.deepEqual([arrived.status, arrived.headers.location], [302, home])
})

test('the provider’s answer may come back by a form, which only cookies for other sites come with', async () => {
  await using cloud = await withLogout({ set: ['cloud.public_url=https://cloud.test'] })
  const way = { recipient: recipient.replace('http:', 'https:'), audience: recipient.replace('http:', 'https:') }
  const token = (await post(cloud, response(way))).headers['x-subject-token']!
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const send = (form: Record<string, string>, cookie?: string) =>
    cloud.request('POST', path, {
      body: new URLSearchParams(form).toString(),
      headers: { ...headers, ...(cookie && { cookie }) },
    })
  const home = new URL('/', dashboard).href
  const sent = await send({ token, origin: home })
  const set = String(sent.headers['set-cookie'])
  assert.match(set, /SameSite=None; .*Secure/)
  const RelayState = new URL(sent.headers.location!).searchParams.get('RelayState')!
  const answer = { SAMLResponse: Buffer.from('<x/>').toString('base64'), RelayState }
  assert.equal((await send(answer)).status, 401)
  assert.equal((await send({ ...answer, RelayState: 'another' }, set.split(';')[0])).status, 401)
  const arrived = await send(answer, set.split(';')[0])
  assert.deepEqual([arrived.status, arrived.headers.location], [302, home])
})

test('a login that needed a code besides ends too, whether it has been shown by then or not', async () => {
  await using cloud = await withLogout()
  const admin = await cloud.login('admin')
  const { user_id } = (await cloud.env.authenticate(await login(cloud, '_s0')))!
  const seed = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
  const ask = (method: string, what: string, body: object) =>
    cloud.request(method, `/identity/v3/${what}`, { token: admin, body })
  await ask('POST', 'credentials', { credential: { type: 'totp', user_id, blob: seed } })
  const options = { multi_factor_auth_rules: [['saml2', 'totp']] }
  assert.equal((await ask('PATCH', `users/${user_id}`, { user: { options } })).status, 200)
  const begin = async (session: string) => {
    const { status, headers } = await post(cloud, response({ session }))
    assert.equal(status, 401)
    return headers['openstack-auth-receipt']!
  }
  const finish = async (receipt: string) => {
    const user = { id: user_id, passcode: totpCode(base32(seed)!, Date.now() / 1000) }
    const auth = { identity: { methods: ['totp'], totp: { user } }, scope: 'unscoped' }
    return cloud.request('POST', '/identity/v3/auth/tokens', {
      body: { auth },
      headers: { 'openstack-auth-receipt': receipt },
    })
  }
  const [shown, waiting, other] = [await begin('_s-shown'), await begin('_s-waiting'), await begin('_s-other')]
  const [done, stays] = [await finish(shown), await finish(other)]
  assert.deepEqual([done.status, stays.status], [201, 201])
  for (const session_index of ['_s-shown', '_s-waiting']) {
    assert.equal((await follow(cloud, arriving(request({ session_index })))).status, 302)
  }
  assert.equal(await isGood(cloud, done.headers['x-subject-token']!), false)
  assert.ok(await isGood(cloud, stays.headers['x-subject-token']!))
  for (const receipt of [shown, waiting]) assert.equal((await finish(receipt)).status, 401)
  // Begun here, with the token that came of it.
  const form = new URLSearchParams({ token: stays.headers['x-subject-token']! }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const out = await cloud.request('POST', path, { body: form, headers })
  assert.equal(out.status, 302, JSON.stringify(out.body))
  assert.match(signedBy(out.headers.location!, ours.certificate, 'SAMLRequest'), /<ns0:SessionIndex>_s-other</)
})

test('without a key or an address the operator is told what to set', async () => {
  await using cloud = await federated({ slo_url: sloUrl })
  const { status, body } = await cloud.request<{ error: { message: string } }>('GET', arriving(request()).slice(17))
  assert.equal(status, 501)
  assert.match(body.error.message, /own_key_file/)
})

/** A cloud that vouches for its users to another, which is not there. */
async function vouching() {
  const home = keyPair('telling')
  const logouts = { away: { url: 'https://away.test/logout', certificate_files: [] } }
  const cloud = await testCloud({
    set: [
      `identity.federation.issuer_certificate_file=${home.certificate_file}`,
      `identity.federation.issuer_key_file=${home.key_file}`,
      `identity.federation.issuer_logouts=${JSON.stringify(logouts)}`,
    ],
  })
  const service_provider = { auth_url: 'https://away.test/', sp_url: 'https://away.test/', enabled: true }
  await cloud.request('PUT', '/identity/v3/OS-FEDERATION/service_providers/away', {
    token: await cloud.login('admin'),
    body: { service_provider },
  })
  const tell = async (token: string) => {
    const scope = { service_provider: { id: 'away' } }
    const auth = { identity: { methods: ['token'], token: { id: token } }, scope }
    const { status, body } = await cloud.request<string>('POST', '/identity/v3/auth/OS-FEDERATION/saml2', {
      body: { auth },
    })
    return { status, index: /SessionIndex="([^"]+)"/.exec(body)?.[1] }
  }
  return { cloud, tell }
}

test('of a token another cloud is told once, however often it is asked; of how many there may be there is an end', async () => {
  const { cloud: vouches, tell } = await vouching()
  await using cloud = vouches
  const token = await cloud.login('demo')
  const [first, second] = await Promise.all([tell(token), tell(token)])
  assert.deepEqual([first.status, second], [200, first])
  const { db } = cloud.ctx()
  const [row, ...more] = await toldSessions.list(db)
  assert.deepEqual([row?.id, more], [first.index, []])
  const others = Array.from({ length: 9_999 }, (_, i) => ({ ...row!, id: `_${i}` }))
  await toldSessions.insertMany(db, others)
  assert.equal((await tell(await cloud.login('demo'))).status, 403)
  assert.equal((await tell(token)).status, 200, 'those that there are stay good')
  assert.equal((await tell(await cloud.login('admin'))).status, 200, 'of others there may be more')
})

test('which tokens have ended is asked of all of them together', async () => {
  const { cloud: vouches, tell } = await vouching()
  await using cloud = vouches
  const [first, ...more] = [await cloud.login('demo'), await cloud.login('demo'), await cloud.login('demo')]
  for (const token of [first!, ...more, await cloud.login('admin')]) assert.equal((await tell(token)).status, 200)
  const ctx = cloud.ctx()
  const users = async () => {
    const claims = (await toldSessions.list(ctx.db)).map(session => session.claims)
    // What the process remembers of roles is read again at a change.
    await endedAmong(ctx, claims)
    const before = cloud.env.database.statements()
    const ended = await endedAmong(ctx, claims)
    assert.equal(cloud.env.database.statements() - before, 5, 'one for all, two for each user')
    return { ended: [...ended].map(one => one.user_id), all: claims.length }
  }
  assert.deepEqual(await users(), { ended: [], all: 4 })
  const admin = await cloud.login('admin')
  const demo = (await cloud.env.authenticate(first!))!.user_id
  const headers = { 'x-subject-token': first! }
  await cloud.request('DELETE', '/identity/v3/auth/tokens', { token: admin, headers })
  assert.deepEqual(await users(), { ended: [demo], all: 4 })
  await cloud.request('PATCH', `/identity/v3/users/${demo}`, { token: admin, body: { user: { enabled: false } } })
  const all = (await toldSessions.list(ctx.db)).map(session => session.claims)
  assert.equal((await endedAmong(ctx, all)).size, 3)
})

test('two clouds: who loses the token of one is out of the other, both ways', async () => {
  const home = keyPair('home')
  const [homePort, awayPort] = [await freePort(), await freePort()]
  const [homeUrl, awayUrl] = [`http://127.0.0.1:${homePort}`, `http://127.0.0.1:${awayPort}`]
  const homeEntity = `${homeUrl}/identity/v3/OS-FEDERATION/saml2/metadata`
  const awayEntity = `${awayUrl}${loginPath}`
  const settings = { entity_id: homeEntity, certificate_files: [home.certificate_file], slo_binding: 'soap' }
  const slo_url = `${homeUrl}/identity/v3/OS-FEDERATION/saml2/slo`
  await using away = await federated(
    { ...settings, slo_url, own_key_file: ours.key_file },
    { set: [`cloud.public_url=${awayUrl}`] },
  )
  const logouts = { away: { url: `${awayUrl}${path}`, certificate_files: [ours.certificate_file] } }
  await using cloud = await testCloud({
    set: [
      `cloud.public_url=${homeUrl}`,
      `identity.federation.issuer_certificate_file=${home.certificate_file}`,
      `identity.federation.issuer_key_file=${home.key_file}`,
      `identity.federation.issuer_logouts=${JSON.stringify(logouts)}`,
    ],
  })
  await away.http.listen({ host: '127.0.0.1', port: awayPort })
  await cloud.http.listen({ host: '127.0.0.1', port: homePort })
  const awayAdmin = await away.login('admin')
  const change = (what: string, body: object) =>
    away.request('PATCH', `/identity/v3/OS-FEDERATION/${what}`, { token: awayAdmin, body })
  await change('identity_providers/university', { identity_provider: { remote_ids: [homeEntity] } })
  const rules = [{ remote: [{ type: 'openstack_user' }], local: [{ user: { name: '{0}' } }] }]
  await change('mappings/people', { mapping: { rules } })
  const admin = await cloud.login('admin')
  const service_provider = { auth_url: awayEntity, sp_url: awayEntity, enabled: true }
  await cloud.request('PUT', '/identity/v3/OS-FEDERATION/service_providers/away', {
    token: admin,
    body: { service_provider },
  })
  const travel = async (token: string) => {
    const scope = { service_provider: { id: 'away' } }
    const auth = { identity: { methods: ['token'], token: { id: token } }, scope }
    const told = await cloud.request<string>('POST', '/identity/v3/auth/OS-FEDERATION/saml2/ecp', { body: { auth } })
    const arrived = await postEcp(away, told.body)
    assert.equal(arrived.status, 201, JSON.stringify(arrived.body))
    return arrived.headers['x-subject-token']!
  }
  const tellOfEnds = () => cloud.reconcile('identity.told_sessions')

  const revoked = await cloud.login('demo')
  const [there, stays] = [await travel(revoked), await travel(await cloud.login('demo'))]
  await tellOfEnds()
  assert.ok(await isGood(away, there), 'nothing has ended yet')
  await cloud.request('DELETE', '/identity/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': revoked } })
  await tellOfEnds()
  assert.equal(await isGood(away, there), false)
  assert.ok(await isGood(away, stays))

  const token = await cloud.login('demo')
  const leaving = await travel(token)
  const out = await away.request('POST', path, {
    body: new URLSearchParams({ token: leaving }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.equal(out.status, 204, JSON.stringify(out.body))
  assert.equal(await isGood(away, leaving), false)
  assert.equal(await isGood(cloud, token), false, 'at home too')

  const demo = (await cloud.env.authenticate(await cloud.login('demo')))!.user_id
  await cloud.request('PATCH', `/identity/v3/users/${demo}`, { token: admin, body: { user: { enabled: false } } })
  await tellOfEnds()
  assert.equal(await isGood(away, stays), false, 'a user who is disabled at home is out away')

  const forged = signedSoap(request({ issuer: awayEntity, destination: slo_url }), forger.key)
  const asked = await cloud.request('POST', '/identity/v3/OS-FEDERATION/saml2/slo', {
    body: forged,
    headers: { 'content-type': 'text/xml' },
  })
  assert.equal(asked.status, 401)
})
