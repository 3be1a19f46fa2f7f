/** Logging in with a browser: to a real OpenID provider and back, and what must not work on the way. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { browserAt, type OpenidProvider, openidProvider } from '../../../../test/openid-provider.ts'

const dashboard = 'https://dashboard.test/auth/websso/'
const sso = '/identity/v3/auth/OS-FEDERATION'
const ofCompany = `${sso}/identity_providers/company/protocols/openid/websso`

let company: OpenidProvider
before(async () => {
  company = await openidProvider([`http://cloud.test${ofCompany}`])
})
after(() => company[Symbol.asyncDispose]())

async function federated(): Promise<TestCloud> {
  const settings = { issuer: company.issuer, client_id: 'nephos', client_secret: 'nephos-secret' }
  const cloud = await testCloud({
    set: [
      `identity.federation.trusted_dashboards=["${dashboard.replace('dashboard', 'DashBoard')}"]`,
      `identity.federation.openid=${JSON.stringify({ company: settings, other: settings })}`,
    ],
  })
  const token = await cloud.login('admin')
  const put = (path: string, body: object) => cloud.request('PUT', `/identity/v3/OS-FEDERATION${path}`, { token, body })
  await put('/identity_providers/company', { identity_provider: { enabled: true, description: 'The <Company>' } })
  const rules = [
    { remote: [{ type: 'OIDC-sub' }, { type: 'OIDC-name' }], local: [{ user: { id: '{0}', name: '{1}' } }] },
  ]
  await put('/mappings/people', { mapping: { rules } })
  await put('/identity_providers/company/protocols/openid', { protocol: { mapping_id: 'people' } })
  return cloud
}

/** A new browser each time. */
const loginAtProvider = (address: string, login: string) => browserAt(company)(address, login)

const begin = (cloud: TestCloud, path = ofCompany, origin: string | undefined = dashboard, method = 'GET') =>
  cloud.request<string>(method, `${path}${origin === undefined ? '' : `?origin=${encodeURIComponent(origin)}`}`)

const cookieOf = (headers: Record<string, string>) => String(headers['set-cookie']).split(';')[0]!

test('a browser goes to the provider and comes back to the dashboard with a token', async () => {
  await using cloud = await federated()
  const choice = await begin(cloud, `${sso}/websso/openid`)
  assert.equal(choice.status, 302)
  assert.match(choice.headers.location!, new RegExp(`^http://cloud.test${ofCompany}\\?origin=`))
  const posted = await begin(cloud, `${sso}/websso/openid`, dashboard, 'POST')
  assert.deepEqual([posted.status, posted.headers.location], [302, choice.headers.location])
  const sent = await begin(cloud)
  assert.equal(sent.status, 302)
  const asked = new URL(sent.headers.location!)
  assert.equal(asked.origin, company.issuer)
  for (const name of ['state', 'nonce', 'code_challenge']) assert.ok(asked.searchParams.get(name)!.length >= 43, name)
  assert.match(String(sent.headers['set-cookie']), /HttpOnly; SameSite=Lax/)

  const back = await loginAtProvider(asked.href, 'alice')
  const arrived = await cloud.request<string>('GET', back.pathname + back.search, {
    headers: { cookie: cookieOf(sent.headers) },
  })
  assert.equal(arrived.status, 200, String(arrived.body))
  assert.match(arrived.headers['content-type']!, /^text\/html/)
  assert.equal(arrived.headers['cache-control'], 'no-store')
  assert.match(arrived.body, new RegExp(`action="${dashboard}" method="post"`))
  const token = /name="token" id="token" value="([^"]+)"/.exec(arrived.body)![1]!
  const { body } = await cloud.request<{ token: { user: { name: string }; methods: string[] } }>(
    'GET',
    '/identity/v3/auth/tokens',
    { token, headers: { 'x-subject-token': token } },
  )
  assert.equal(body.token.user.name, 'Alice')
  assert.deepEqual(body.token.methods, ['openid'])

  const twice = await cloud.request('GET', back.pathname + back.search, { headers: { cookie: cookieOf(sent.headers) } })
  assert.equal(twice.status, 401, 'a code is good once')
})

test('only trusted dashboards get tokens', async () => {
  await using cloud = await federated()
  for (const [origin, status] of [
    ['', 400],
    ['https://evil.test/auth/websso/', 401],
    [`${dashboard}../x`, 401],
    ['https://dashboard.test.evil.test/auth/websso/', 401],
    [`${dashboard}"><script>`, 401],
  ] as const) {
    assert.equal((await begin(cloud, ofCompany, origin)).status, status, origin)
    assert.equal((await begin(cloud, `${sso}/websso/openid`, origin)).status, status, origin)
  }
  assert.equal((await begin(cloud, `${sso}/websso/kerberos`)).status, 401)
})

test('a login that another browser began, or nobody, ends nowhere', async () => {
  await using cloud = await federated()
  const [mine, theirs] = [await begin(cloud), await begin(cloud)]
  const back = await loginAtProvider(mine.headers.location!, 'alice')
  const finish = (cookie: string | undefined, search = back.search) =>
    cloud.request('GET', back.pathname + search, { headers: cookie === undefined ? {} : { cookie } })
  assert.equal((await finish(undefined)).status, 401)
  assert.equal((await finish(cookieOf(theirs.headers))).status, 401)
  assert.equal((await finish('nephos_login=gAAAAABforged')).status, 401)
  const token = await cloud.login('admin')
  assert.equal((await finish(`nephos_login=${token}`)).status, 401, 'a token is not a journey')
  const state = new URL(mine.headers.location!).searchParams.get('state')
  assert.equal((await finish(cookieOf(mine.headers), `?state=${state}&code=invented`)).status, 401)
  assert.equal((await finish(cookieOf(mine.headers), `?state=${state}&error=access_denied`)).status, 401)
})

test('of several identity providers the browser’s user chooses one', async () => {
  await using cloud = await federated()
  const token = await cloud.login('admin')
  const put = (path: string, body: object) => cloud.request('PUT', `/identity/v3/OS-FEDERATION${path}`, { token, body })
  await put('/identity_providers/other', { identity_provider: { enabled: true } })
  await put('/identity_providers/other/protocols/openid', { protocol: { mapping_id: 'people' } })
  const { status, body } = await begin(cloud, `${sso}/websso/openid`)
  assert.equal(status, 200)
  assert.match(body, />The &lt;Company&gt;<\/a>/)
  assert.match(body, /identity_providers\/other\/protocols\/openid\/websso\?origin=https%3A/)
})
