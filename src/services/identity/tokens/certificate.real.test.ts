/** Logging in by a client certificate, as the proxy that ends TLS passes it on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'nephos-certificate-'))
after(() => rmSync(folder, { recursive: true }))
const path = (name: string) => join(folder, name)

/** A certificate, by an authority of the same folder or by itself. */
function certificate(name: string, subject: string, { by, days = 2 }: { by?: string; days?: number } = {}): string {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path(`${name}.key`)]
  const signed = by ? ['-CA', path(`${by}.pem`), '-CAkey', path(`${by}.key`)] : []
  const words = [
    'req',
    '-x509',
    ...key,
    '-out',
    path(`${name}.pem`),
    '-subj',
    subject,
    '-days',
    String(days),
    ...signed,
  ]
  execFileSync('openssl', by ? [...words, '-addext', 'basicConstraints=critical,CA:FALSE'] : words, { stdio: 'ignore' })
  return readFileSync(path(`${name}.pem`), 'utf8')
}

certificate('authority', '/CN=staff authority')
certificate('stranger', '/CN=staff authority')
const demo = certificate('demo', '/O=Default/CN=demo', { by: 'authority' })

const settings = (more: object = {}) =>
  `identity.client_certificates=${JSON.stringify({ header: 'X-Client-Certificate', authority_files: [path('authority.pem')], ...more })}`

async function logIn(cloud: TestCloud, shown?: string, project = 'demo') {
  const { status, body } = await cloud.request<{ token: { user: { name: string }; methods: string[] } }>(
    'POST',
    '/identity/v3/auth/tokens',
    {
      headers: shown === undefined ? {} : { 'x-client-certificate': shown },
      body: {
        auth: {
          identity: { methods: ['external'], external: {} },
          scope: { project: { name: project, domain: { id: 'default' } } },
        },
      },
    },
  )
  return status === 201 ? `${body.token.user.name} by ${body.token.methods}` : status
}

test('a certificate of the authority is a login without a password (S-279)', async () => {
  await using cloud = await testCloud({ set: [settings()] })
  assert.equal(await logIn(cloud, encodeURIComponent(demo)), 'demo by external')
  assert.equal(await logIn(cloud, demo.replaceAll('\n', ' ')), 'demo by external')
  assert.equal(await logIn(cloud, demo.replace(/-----[^-]+-----|\n/g, '')), 'demo by external', 'as DER in base64')
  assert.equal(await logIn(cloud), 401)
})

test('certificates of others, of nobody, of another time and of two let nobody in', async () => {
  await using cloud = await testCloud({ set: [settings()] })
  const bad: Record<string, string> = {
    'of another authority of that name': certificate('forged', '/CN=demo', { by: 'stranger' }),
    'by itself': certificate('self', '/CN=demo'),
    'of somebody who is not here': certificate('nobody', '/CN=nobody', { by: 'authority' }),
    'of two': certificate('two', '/CN=demo/CN=admin', { by: 'authority' }),
    'of nobody': certificate('unnamed', '/O=Default', { by: 'authority' }),
    'by one who is no authority': certificate('below', '/CN=admin', { by: 'demo' }),
    'no certificate': 'demo',
    'broken text': '%',
    'too much': 'A'.repeat(20_000),
  }
  for (const [what, shown] of Object.entries(bad))
    assert.equal(await logIn(cloud, encodeURIComponent(shown)), 401, what)
  assert.equal(await logIn(cloud, '%zz'), 401)
  await using old = await testCloud({ set: [settings({ authority_files: [] })] })
  assert.equal(await logIn(old, encodeURIComponent(demo)), 401, 'nobody is trusted')
})

test('the header counts from the proxy alone, and not at all where it is not configured', async () => {
  await using elsewhere = await testCloud({ set: [settings({ proxies: ['192.0.2.1'] })] })
  assert.equal(await logIn(elsewhere, encodeURIComponent(demo)), 401)
  await using plain = await testCloud()
  assert.equal(await logIn(plain, encodeURIComponent(demo)), 401)
})

test('the domain can be in the certificate, and a disabled user stays out', async () => {
  await using cloud = await testCloud({ set: [settings({ domain_field: 'O' })] })
  assert.equal(await logIn(cloud, encodeURIComponent(demo)), 'demo by external')
  const other = certificate('other', '/O=Elsewhere/CN=demo', { by: 'authority' })
  assert.equal(await logIn(cloud, encodeURIComponent(other)), 401)
  const token = await cloud.login('admin')
  const { body } = await cloud.request<{ users: { id: string }[] }>('GET', '/identity/v3/users?name=demo', { token })
  const off = { user: { enabled: false } }
  await cloud.request('PATCH', `/identity/v3/users/${body.users[0]!.id}`, { token, body: off })
  assert.equal(await logIn(cloud, encodeURIComponent(demo)), 401)
})
