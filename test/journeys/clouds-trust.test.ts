/** Two clouds that trust each other, and a university: whoever is known there logs in here by SAML, with the real client. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { responseXml, signedResponse } from '../../src/services/identity/federation/saml-xml.ts'
import { type RunningCloud, startCloud } from '../conformance/cloud.ts'
import { json, os, run, temporaryFolder } from './client.ts'

const missing = ['/usr/bin/openstack', '/usr/bin/openssl'].filter(program => !existsSync(program))
const skip = missing.length > 0 ? `needs ${missing.join(', ')}` : false

async function certificate(folder: string, name: string) {
  const [key_file, certificate_file] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
  const made = await run('openssl', [...args, '-keyout', key_file, '-out', certificate_file], {})
  assert.equal(made.code, 0, made.err)
  return { key_file, certificate_file }
}

const admin = ({ cloudsFile }: RunningCloud) => ({ OS_CLIENT_CONFIG_FILE: cloudsFile, OS_CLOUD: 'nephos-admin' })

/** Registers who vouches for whom, with the client. */
async function trust(cloud: RunningCloud, idp: string, entityId: string, rules: object[]): Promise<string> {
  const file = join(cloud.dir, `${idp}.json`)
  writeFileSync(file, JSON.stringify(rules))
  const as = admin(cloud)
  await os(['identity', 'provider', 'create', '--remote-id', entityId, idp], as)
  await os(['mapping', 'create', '--rules', file, `${idp}-people`], as)
  const mapping = ['--identity-provider', idp, '--mapping', `${idp}-people`]
  await os(['federation', 'protocol', 'create', ...mapping, 'saml2'], as)
  return `${cloud.url}/identity/v3/OS-FEDERATION/identity_providers/${idp}/protocols/saml2/auth`
}

/** An identity provider that clients without a browser speak to: name and password by HTTP, SAML in envelopes. */
async function university(entityId: string, files: { key_file: string; certificate_file: string }) {
  const [key, certificate] = [files.key_file, files.certificate_file].map(file => readFileSync(file, 'utf8')) as [
    string,
    string,
  ]
  let count = 0
  const server = createServer(async (request, reply) => {
    let asked = ''
    for await (const part of request) asked += part
    const [, basic = ''] = /^Basic (.*)$/.exec(request.headers.authorization ?? '') ?? []
    const [name, password] = Buffer.from(basic, 'base64').toString().split(':')
    if (!name || name !== password) return reply.writeHead(401, { 'www-authenticate': 'Basic' }).end()
    const consumer = /AssertionConsumerServiceURL="([^"]+)"/.exec(asked)![1]!
    const id = /AuthnRequest [^>]*\bID="([^"]+)"/.exec(asked)![1]!
    const now = Date.now()
    const said = signedResponse(
      responseXml({
        ...{
          id: `_a${++count}`,
          response_id: `_r${count}`,
          session: `_s${count}`,
          issuer: entityId,
          in_response_to: id,
        },
        ...{
          recipient: consumer,
          audience: consumer,
          subject: name,
          attributes: { uid: [name] },
          now,
          until: now + 60_000,
        },
      }),
      key,
      certificate,
    )
    const header = `<ecp:Response xmlns:ecp="urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp" AssertionConsumerServiceURL="${consumer}"/>`
    reply
      .writeHead(200, { 'content-type': 'text/xml' })
      .end(
        `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header>${header}</S:Header><S:Body>${said}</S:Body></S:Envelope>`,
      )
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ecp`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}

const k2k = `
import json, os
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneauth1.identity.v3 import k2k
home = v3.Password(auth_url=os.environ['HOME_URL'], username='demo', password=os.environ['DEMO_PASSWORD'],
                   user_domain_id='default', project_name='demo', project_domain_id='default')
away = k2k.Keystone2Keystone(home, 'away', project_name='guests', project_domain_name='Default')
access = away.get_access(session.Session(auth=away))
print(json.dumps({'user': access.username, 'project': access.project_name, 'roles': access.role_names}))
`

test('a user known only to one cloud works in another', { skip, timeout: 600_000 }, async t => {
  await using folder = temporaryFolder()
  const [homeFiles, schoolFiles] = [await certificate(folder.path, 'home'), await certificate(folder.path, 'school')]
  await using home = await startCloud({
    flags: ['--simulated'],
    settings: {
      identity: {
        federation: { issuer_certificate_file: homeFiles.certificate_file, issuer_key_file: homeFiles.key_file },
      },
    },
  })
  const homeEntity = `${home.url}/identity/v3/OS-FEDERATION/saml2/metadata`
  const schoolEntity = 'https://university.example/saml'
  await using school = await university(schoolEntity, schoolFiles)
  await using away = await startCloud({
    flags: ['--simulated'],
    settings: {
      identity: {
        federation: {
          saml2: {
            home: { entity_id: homeEntity, certificate_files: [homeFiles.certificate_file] },
            school: { entity_id: schoolEntity, certificate_files: [schoolFiles.certificate_file] },
          },
        },
      },
    },
  })
  const projects = [{ name: 'guests', domain: { name: 'Default' }, roles: [{ name: 'member' }] }]
  const cloudsFile = readFileSync(home.cloudsFile, 'utf8')
  const password = /password: (\S+)/.exec(cloudsFile)![1]!.replace(/^["']|["']$/g, '')

  await t.test('the operators make them trust each other', async () => {
    const address = await trust(away, 'home', homeEntity, [
      {
        remote: [{ type: 'openstack_user' }, { type: 'openstack_roles', any_one_of: ['member'] }],
        local: [{ user: { name: '{0} of home' } }, { projects }],
      },
    ])
    await trust(away, 'school', schoolEntity, [
      {
        remote: [{ type: 'uid', not_any_of: ['mallory'] }, { type: 'uid' }],
        local: [{ user: { name: '{0}' } }, { projects }],
      },
    ])
    const provider = ['--auth-url', address, '--service-provider-url', address]
    await os(['service', 'provider', 'create', ...provider, 'away'], admin(home))
    const metadata = await (await fetch(homeEntity)).text()
    assert.match(metadata, /X509Certificate/)
  })

  const demo = {
    OS_AUTH_URL: `${home.url}/identity/v3`,
    OS_IDENTITY_API_VERSION: '3',
    OS_USERNAME: 'demo',
    OS_PASSWORD: password,
    OS_USER_DOMAIN_ID: 'default',
    OS_PROJECT_NAME: 'demo',
    OS_PROJECT_DOMAIN_ID: 'default',
  }
  const guest = {
    ...demo,
    OS_SERVICE_PROVIDER: 'away',
    OS_REMOTE_PROJECT_NAME: 'guests',
    OS_REMOTE_PROJECT_DOMAIN_NAME: 'Default',
  }

  await t.test('keystoneauth goes from one to the other', async () => {
    const ran = await run('/usr/bin/python3', ['-c', k2k], { HOME_URL: demo.OS_AUTH_URL, DEMO_PASSWORD: password })
    assert.equal(ran.code, 0, ran.err)
    const { user, project, roles } = JSON.parse(ran.out) as { user: string; project: string; roles: string[] }
    assert.deepEqual([user, project], ['demo of home', 'guests'])
    assert.ok(roles.includes('member'))
  })

  await t.test('a server of the guest runs in the other cloud, and not at home', async () => {
    await os(['network', 'create', 'net'], guest)
    await os(['subnet', 'create', '--network', 'net', '--subnet-range', '10.9.0.0/24', 'sub'], guest)
    const create = [
      'server',
      'create',
      '--image',
      'tiny',
      '--flavor',
      'm1.nano',
      '--network',
      'net',
      '--wait',
      'abroad',
    ]
    assert.equal((await json<{ status: string }>(create, guest)).status, 'ACTIVE')
    assert.deepEqual(await json(['server', 'list'], demo), [])
    const all = await json<{ Name: string }[]>(['server', 'list', '--all-projects'], admin(away))
    assert.deepEqual(
      all.map(server => server.Name),
      ['abroad'],
    )
  })

  const student = {
    OS_AUTH_TYPE: 'v3samlpassword',
    OS_AUTH_URL: `${away.url}/identity/v3`,
    OS_IDENTITY_API_VERSION: '3',
    OS_IDENTITY_PROVIDER: 'school',
    OS_IDENTITY_PROVIDER_URL: school.url,
    OS_PROTOCOL: 'saml2',
    OS_USERNAME: 'carol',
    OS_PASSWORD: 'carol',
    OS_PROJECT_NAME: 'guests',
    OS_PROJECT_DOMAIN_NAME: 'Default',
  }

  await t.test('a student logs in with the password of the university (ECP)', async () => {
    const servers = await json<{ Name: string }[]>(['server', 'list'], student)
    assert.deepEqual(
      servers.map(server => server.Name),
      ['abroad'],
    )
    const mallory = { ...student, OS_USERNAME: 'mallory', OS_PASSWORD: 'mallory' }
    assert.match((await run('openstack', ['server', 'list'], mallory)).err, /401/)
  })

  await t.test('when the trust ends, so do the visits', async () => {
    await os(['identity', 'provider', 'set', '--disable', 'home'], admin(away))
    const refused = await run('openstack', ['server', 'list'], guest)
    assert.notEqual(refused.code, 0)
    assert.match(refused.err, /403|disabled/)
    await os(['server', 'list'], student)
  })
})
