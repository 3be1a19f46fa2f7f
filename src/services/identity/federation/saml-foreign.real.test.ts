/** SAML 2.0 with an implementation that is not ours (pysaml2): its identity provider lets people in here, and its service provider takes what we say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, browse, federated, peer, telling, tellPeer } from './fixtures/campus.ts'

test('people of an identity provider of pysaml2 come in with a browser', async () => {
  await using cloud = await federated()
  const { status, who } = await browse(cloud)
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
  await using cloud = await telling()
  const { told, metadata } = await tellPeer(cloud, await cloud.login('demo'))
  const read = (xml: string) =>
    ask<{ said?: Record<string, string[]>; subject?: string; issuer?: string; refused?: string }>({
      ...{ do: 'read', ...peer, slo: 'https://peer.test/slo', metadata },
      response: Buffer.from(xml).toString('base64'),
    })
  const good = await read(told)
  assert.equal(good.refused, undefined)
  assert.equal(good.subject, 'demo')
  assert.equal(good.issuer, 'http://cloud.test/identity/v3/OS-FEDERATION/saml2/metadata')
  assert.deepEqual(good.said?.openstack_user, ['demo'])
  assert.deepEqual(good.said?.openstack_project, ['demo'])
  assert.ok((await read(told.replaceAll('>demo<', '>admin<'))).refused)
})
