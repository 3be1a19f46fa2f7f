/** SAML 2.0 with an implementation that is not ours (pysaml2): its identity provider lets people in here, and its service provider takes what we say. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installSuite } from '../../../../test/conformance/python.ts'
import { type TestCloud, testCloud } from '../../../../test/harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'nephos-saml-foreign-'))
after(() => rmSync(folder, { recursive: true }))
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/pysaml2/${name}`, import.meta.url))

const { python } = await installSuite(
  { requirements: fixture('requirements.txt'), module: 'saml2', debianPackages: ['python3-pysaml2'] },
  console.error,
)

function ask<T>(asked: object): T {
  const { status, stdout, stderr } = spawnSync(python, [fixture('peer.py')], {
    ...{ input: JSON.stringify(asked), encoding: 'utf8', timeout: 60_000 },
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout) as T
}

function keyPair(name: string) {
  const pair = { key: join(folder, `${name}.key`), certificate: join(folder, `${name}.pem`) }
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
  execFileSync('openssl', [...words, '-keyout', pair.key, '-out', pair.certificate], { stdio: 'ignore' })
  return pair
}

const plain = (certificate: string) => readFileSync(certificate, 'utf8').replace(/-----[^-]+-----|\s/g, '')

const university = {
  ...keyPair('university'),
  entity: 'https://idp.university.test/saml',
  sso: 'https://idp.university.test/sso',
}
const ours = keyPair('ours')
const ownEntity = 'https://cloud.test/saml'
const sso = '/identity/v3/auth/OS-FEDERATION/identity_providers/university/protocols/saml2/websso'
const back = `http://cloud.test${sso}`
const dashboard = 'https://dashboard.test/auth/websso/'

/** This cloud as the university knows it. */
function ownMetadata(): string {
  const file = join(folder, 'cloud.xml')
  const protocol = 'urn:oasis:names:tc:SAML:2.0:protocol'
  const key = `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${plain(ours.certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
  writeFileSync(
    file,
    `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${ownEntity}">
      <md:SPSSODescriptor protocolSupportEnumeration="${protocol}"><md:KeyDescriptor use="encryption">${key}</md:KeyDescriptor>
      <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${back}" index="0"/>
      </md:SPSSODescriptor></md:EntityDescriptor>`,
  )
  return file
}

async function federated(): Promise<TestCloud> {
  const settings = {
    ...{ entity_id: university.entity, certificate_files: [university.certificate], sso_url: university.sso },
    ...{ own_entity_id: ownEntity, decryption_key_file: ours.key },
  }
  const cloud = await testCloud({
    set: [
      `identity.federation.saml2=${JSON.stringify({ university: settings })}`,
      `identity.federation.trusted_dashboards=["${dashboard}"]`,
    ],
  })
  const token = await cloud.login('admin')
  const put = async (path: string, body: object) =>
    assert.equal((await cloud.request('PUT', `/identity/v3/OS-FEDERATION${path}`, { token, body })).status, 201)
  await put('/identity_providers/university', { identity_provider: { enabled: true, remote_ids: [university.entity] } })
  const rules = [{ remote: [{ type: 'uid' }, { type: 'mail' }], local: [{ user: { name: '{0}', email: '{1}' } }] }]
  await put('/mappings/people', { mapping: { rules } })
  await put('/identity_providers/university/protocols/saml2', { protocol: { mapping_id: 'people' } })
  return cloud
}

/** A browser goes from the cloud to the university and back with what pysaml2 says of the user. */
async function browse(cloud: TestCloud, more: object, tamper = (xml: string) => xml) {
  const sent = await cloud.request('GET', `${sso}?origin=${encodeURIComponent(dashboard)}`)
  const address = new URL(sent.headers.location!)
  assert.equal(address.origin + address.pathname, university.sso)
  const { response } = ask<{ response: string }>({
    ...{ do: 'answer', ...university, metadata: ownMetadata(), request: address.searchParams.get('SAMLRequest') },
    ...{ identity: { uid: ['carol'], mail: ['carol@university.test'] }, subject: 'c-1', sign_response: false },
    ...{ encrypt: false, ...more },
  })
  const xml = tamper(Buffer.from(response, 'base64').toString())
  const form = {
    SAMLResponse: Buffer.from(xml).toString('base64'),
    RelayState: address.searchParams.get('RelayState')!,
  }
  const cookie = String(sent.headers['set-cookie']).split(';')[0]!
  const headers = { 'content-type': 'application/x-www-form-urlencoded', cookie }
  const arrived = await cloud.request<string>('POST', sso, { body: new URLSearchParams(form).toString(), headers })
  const token =
    arrived.status === 200 ? /name="token" (?:id="token" )?value="([^"]+)"/.exec(arrived.body)?.[1] : undefined
  return { xml, status: arrived.status, who: token && (await cloud.env.authenticate(token))?.user_name }
}

test('people of an identity provider of pysaml2 come in with a browser', async () => {
  await using cloud = await federated()
  const { status, who } = await browse(cloud, {})
  assert.deepEqual([status, who], [200, 'carol'])
  const both = await browse(cloud, { sign_response: true })
  assert.deepEqual([both.status, both.who], [200, 'carol'], 'response and assertion signed')
  assert.equal((await browse(cloud, {}, xml => xml.replaceAll('carol', 'admin'))).status, 401)
})

test('an assertion that is encrypted for this cloud is read, and by nobody else', async () => {
  await using cloud = await federated()
  const { xml, status, who } = await browse(cloud, { encrypt: true })
  assert.match(xml, /EncryptedAssertion/)
  assert.ok(!xml.includes('carol'))
  assert.deepEqual([status, who], [200, 'carol'])
  const cut = await browse(cloud, { encrypt: true }, text => text.replace(/(CipherValue>)(.{8})/g, '$1AAAAAAAA'))
  assert.equal(cut.status, 401)
})

test('a service provider of pysaml2 takes what this cloud says of a user, and nothing that was changed', async () => {
  await using cloud = await testCloud({
    set: [
      `identity.federation.issuer_certificate_file=${ours.certificate}`,
      `identity.federation.issuer_key_file=${ours.key}`,
      'identity.federation.issuer_audiences={"peer":"https://peer.test/saml"}',
    ],
  })
  const token = await cloud.login('admin')
  const consumer = 'https://peer.test/acs'
  const service_provider = { auth_url: 'https://peer.test/auth', sp_url: consumer, enabled: true }
  await cloud.request('PUT', '/identity/v3/OS-FEDERATION/service_providers/peer', { token, body: { service_provider } })
  const scope = { service_provider: { id: 'peer' } }
  const identity = { methods: ['token'], token: { id: await cloud.login('demo') } }
  const told = await cloud.request<string>('POST', '/identity/v3/auth/OS-FEDERATION/saml2', {
    body: { auth: { identity, scope } },
  })
  assert.equal(told.status, 200)
  const metadata = join(folder, 'issuer.xml')
  const shown = await cloud.request<string>('GET', '/identity/v3/OS-FEDERATION/saml2/metadata')
  writeFileSync(metadata, shown.body)
  const read = (xml: string) =>
    ask<{ said?: Record<string, string[]>; subject?: string; issuer?: string; refused?: string }>({
      ...{ do: 'read', ...keyPair('peer'), entity: 'https://peer.test/saml', metadata, consumer },
      response: Buffer.from(xml).toString('base64'),
    })
  const good = read(told.body)
  assert.equal(good.refused, undefined)
  assert.equal(good.subject, 'demo')
  assert.equal(good.issuer, 'http://cloud.test/identity/v3/OS-FEDERATION/saml2/metadata')
  assert.deepEqual(good.said?.openstack_user, ['demo'])
  assert.deepEqual(good.said?.openstack_project, ['demo'])
  assert.ok(read(told.body.replaceAll('>demo<', '>admin<')).refused)
})
