/** Logout of OpenID Connect with a real provider: begun here it ends there too, and begun there it ends here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair, SignJWT } from 'jose'
import { freePort } from '../../../../test/free-port.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'
import { browserAt, openidProvider } from '../../../../test/openid-provider.ts'

const dashboard = 'https://dashboard.test/auth/websso/'
const home = 'https://dashboard.test/'
const way = '/identity/v3/auth/OS-FEDERATION/identity_providers/company/protocols/openid'

async function begin() {
  await using stack = new AsyncDisposableStack()
  const url = `http://127.0.0.1:${await freePort()}`
  const logout = `${url}${way}/logout`
  const logouts = { post_logout_redirect_uris: [logout], backchannel_logout_uri: logout }
  const company = stack.use(await openidProvider([`${url}${way}/websso`], logouts))
  const settings = { issuer: company.issuer, client_id: 'nephos', client_secret: 'nephos-secret' }
  const cloud = stack.use(
    await testCloud({
      set: [
        `cloud.public_url=${url}`,
        `identity.federation.trusted_dashboards=["${dashboard}"]`,
        `identity.federation.openid=${JSON.stringify({ company: settings })}`,
      ],
    }),
  )
  await cloud.http.listen({ host: '127.0.0.1', port: Number(new URL(url).port) })
  const token = await cloud.login('admin')
  const put = (path: string, body: object) => cloud.request('PUT', `/identity/v3/OS-FEDERATION${path}`, { token, body })
  await put('/identity_providers/company', { identity_provider: { enabled: true } })
  const rules = [{ remote: [{ type: 'OIDC-sub' }], local: [{ user: { name: '{0}' } }] }]
  await put('/mappings/people', { mapping: { rules } })
  await put('/identity_providers/company/protocols/openid', { protocol: { mapping_id: 'people' } })
  const everything = stack.move()
  return { cloud, company, url, [Symbol.asyncDispose]: () => everything.disposeAsync() }
}

const cookieOf = (headers: Record<string, string>) => String(headers['set-cookie']).split(';')[0]!
const isGood = async (cloud: TestCloud, token: string) => (await cloud.env.authenticate(token)) !== undefined

/** Logs in with the browser and returns the token that the dashboard gets. */
async function login(cloud: TestCloud, visit: ReturnType<typeof browserAt>, who: string): Promise<string> {
  const sent = await cloud.request('GET', `${way}/websso?origin=${encodeURIComponent(dashboard)}`)
  const back = await visit(sent.headers.location!, who)
  const headers = { cookie: cookieOf(sent.headers) }
  const arrived = await cloud.request<string>('GET', back.pathname + back.search, { headers })
  assert.equal(arrived.status, 200, String(arrived.body))
  return /name="token" id="token" value="([^"]+)"/.exec(arrived.body)![1]!
}

const post = (cloud: TestCloud, form: Record<string, string>) =>
  cloud.request('POST', `${way}/logout`, {
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })

test('a logout that begins here logs out at the provider, and the browser comes back to the dashboard', async () => {
  await using stage = await begin()
  const { cloud, company } = stage
  const visit = browserAt(company)
  const token = await login(cloud, visit, 'alice')
  const other = await login(cloud, browserAt(company), 'alice')
  const sent = await post(cloud, { token, origin: home })
  assert.equal(sent.status, 302, JSON.stringify(sent.body))
  assert.equal(await isGood(cloud, token), false)
  const asked = new URL(sent.headers.location!)
  assert.equal(asked.origin, company.issuer)
  const back = await visit(asked.href, 'alice')
  assert.equal(back.pathname, `${way}/logout`)
  const finish = (headers: Record<string, string>) => cloud.request('GET', back.pathname + back.search, { headers })
  assert.equal((await finish({})).status, 401, 'another browser')
  const arrived = await finish({ cookie: cookieOf(sent.headers) })
  assert.deepEqual([arrived.status, arrived.headers.location], [302, home])
  // The provider asks again who it is: bob, this time.
  const next = await login(cloud, visit, 'bob')
  assert.equal((await cloud.env.authenticate(next))?.user_name, 'bob')
  assert.ok(await isGood(cloud, other), 'another browser of alice is still in')
})

test('a logout that begins at the provider ends the token here', async () => {
  await using stage = await begin()
  const { cloud, company } = stage
  const visit = browserAt(company)
  const [mine, other] = [await login(cloud, visit, 'alice'), await login(cloud, browserAt(company), 'bob')]
  // Without the redirect: as when she leaves by another application.
  await visit(
    `${company.issuer}/session/end?client_id=nephos&post_logout_redirect_uri=${encodeURIComponent(`${stage.url}${way}/logout`)}`,
    'alice',
  )
  assert.equal(await isGood(cloud, mine), false)
  assert.ok(await isGood(cloud, other))
})

test('a logout token that the provider did not sign, or that is none, ends nothing', async () => {
  await using stage = await begin()
  const { cloud, company } = stage
  const token = await login(cloud, browserAt(company), 'alice')
  const { privateKey } = await generateKeyPair('RS256')
  const forged = new SignJWT({ events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, sub: 'alice' })
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .setIssuer(company.issuer)
    .setAudience('nephos')
    .setIssuedAt()
    .setJti('x')
  const accessToken = await company.token({ grant_type: 'password', username: 'alice', password: 'alice' })
  for (const logout_token of [await forged.sign(privateKey), accessToken, 'nonsense', '']) {
    assert.equal((await post(cloud, { logout_token })).status, 400, logout_token.slice(0, 20))
  }
  assert.ok(await isGood(cloud, token))
})
