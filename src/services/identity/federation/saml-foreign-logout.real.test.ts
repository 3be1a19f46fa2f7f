/** Single logout of SAML with an implementation that is not ours (pysaml2), as identity provider and as service provider. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { freePort } from '../../../../test/free-port.ts'
import type { TestCloud } from '../../../../test/harness.ts'
import {
  ask,
  browse,
  dashboard,
  federated,
  form,
  keyPair,
  ownEntity,
  ownMetadata,
  peer,
  slo,
  telling,
  tellPeer,
  university,
} from './fixtures/campus.ts'

const success = 'urn:oasis:names:tc:SAML:2.0:status:Success'
const isGood = async (cloud: TestCloud, token: string) => (await cloud.env.authenticate(token)) !== undefined
const here = (location: string) => location.replace('http://cloud.test', '')
const queryOf = (location: string) => Object.fromEntries(new URL(location).searchParams)
const xml = { 'content-type': 'application/soap+xml' }

interface Answered {
  signed: boolean
  answers: string
  status: string
  issuer: string
}

const asUniversity = <T>(asked: object) =>
  ask<T>({ ...university, metadata: ownMetadata(), peer: ownEntity, subject: 'c-1', ...asked })

/** A server that hands what it gets to pysaml2, and the answer back. */
async function listening(handle: (body: string) => Promise<string>) {
  const failures: unknown[] = []
  const server = createServer(async (request, response) => {
    const answer = await handle(await text(request)).catch(error => {
      failures.push(error)
      return ''
    })
    response.setHeader('content-type', 'text/xml').end(answer)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    failures,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/slo`,
    [Symbol.asyncDispose]: () => new Promise<void>(resolve => server.close(() => resolve())),
  }
}

/** Comes in with a browser: the token, and what pysaml2 calls the login. */
async function comeIn(cloud: TestCloud) {
  const { token, xml } = await browse(cloud)
  return { token: token!, session: /SessionIndex="([^"]+)"/.exec(xml)![1]! }
}

test('who logs out at pysaml2 is out here: by redirect, form and SOAP, each with an answer that it believes', async () => {
  await using cloud = await federated()
  const stays = await comeIn(cloud)
  const say = (binding: string, session: string) =>
    asUniversity<{ id: string; carried: string }>({
      ...{ do: 'end', to: `http://cloud.test${slo}`, binding, sessions: [session] },
    })
  const believed = (binding: string, sent: unknown) => asUniversity<Answered>({ do: 'ended', binding, sent })

  const first = await comeIn(cloud)
  const redirect = await say('redirect', first.session)
  const back = await cloud.request('GET', here(redirect.carried))
  assert.equal(back.status, 302, JSON.stringify(back.body))
  assert.equal(await isGood(cloud, first.token), false)
  assert.ok(back.headers.location!.startsWith(`${university.slo}?`))
  const said = queryOf(back.headers.location!)
  assert.equal(said.RelayState, 'the relay')
  const good = { signed: true, answers: redirect.id, status: success, issuer: ownEntity }
  assert.deepEqual(await believed('redirect', said), good)

  const second = await comeIn(cloud)
  const posted = await say('form', second.session)
  const SAMLRequest = /name="SAMLRequest" value="([^"]+)"/.exec(posted.carried)![1]!
  const answered = await cloud.request('POST', slo, form({ SAMLRequest, RelayState: 'the relay' }))
  assert.equal(answered.status, 302, JSON.stringify(answered.body))
  assert.equal(await isGood(cloud, second.token), false)
  assert.deepEqual(await believed('redirect', queryOf(answered.headers.location!)), { ...good, answers: posted.id })

  const third = await comeIn(cloud)
  const soap = await say('soap', third.session)
  const forged = soap.carried.replace(third.session, stays.session)
  assert.equal((await cloud.request('POST', slo, { body: forged, headers: xml })).status, 401)
  const told = await cloud.request<string>('POST', slo, { body: soap.carried, headers: xml })
  assert.equal(told.status, 200, told.body)
  assert.equal(await isGood(cloud, third.token), false)
  assert.deepEqual(await believed('soap', told.body), { ...good, answers: soap.id })
  assert.ok(await isGood(cloud, stays.token))
})

test('who logs out here is sent on to pysaml2, and comes back with its answer by redirect or form', async () => {
  await using cloud = await federated()
  const home = new URL('/', dashboard).href
  const leave = async () => {
    const { token, session } = await comeIn(cloud)
    const sent = await cloud.request('POST', slo, form({ token, origin: home }))
    assert.equal(sent.status, 302, JSON.stringify(sent.body))
    assert.equal(await isGood(cloud, token), false)
    return { session, location: sent.headers.location!, cookie: String(sent.headers['set-cookie']).split(';')[0]! }
  }
  const hear = (location: string, binding: string) =>
    asUniversity<{ sessions?: string[]; subject?: string; format?: string; carried: string; refused?: string }>({
      ...{ do: 'hear', binding, sent: queryOf(location) },
    })
  const first = await leave()
  const heard = await hear(first.location, 'redirect')
  const format = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
  assert.deepEqual([heard.subject, heard.format, heard.sessions], ['c-1', format, [first.session]])
  const back = await cloud.request('GET', here(heard.carried), { headers: { cookie: first.cookie } })
  assert.deepEqual([back.status, back.headers.location], [302, home])

  const second = await leave()
  const { carried } = await hear(second.location, 'form')
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(carried)![1]!
  const fields = { SAMLResponse: field('SAMLResponse'), RelayState: field('RelayState') }
  const arrived = await cloud.request('POST', slo, form(fields, second.cookie))
  assert.deepEqual([arrived.status, arrived.headers.location], [302, home])

  // A request that this cloud did not sign.
  const forged = queryOf(first.location)
  const third = await leave()
  forged.SAMLRequest = queryOf(third.location).SAMLRequest!
  const refused = await asUniversity<{ refused?: string }>({ do: 'hear', binding: 'redirect', sent: forged })
  assert.equal(refused.refused, 'IncorrectlySigned')
})

test('with slo_binding soap this cloud tells pysaml2 itself', async () => {
  const heard: string[][] = []
  await using server = await listening(async sent => {
    const { sessions, carried } = await asUniversity<{ sessions: string[]; carried: string }>({
      ...{ do: 'hear_soap', slo: server.url, sent },
    })
    heard.push(sessions)
    return carried
  })
  await using cloud = await federated({ slo_binding: 'soap', slo_url: server.url })
  const { token, session } = await comeIn(cloud)
  const out = await cloud.request('POST', slo, form({ token }))
  assert.deepEqual(server.failures, [])
  assert.equal(out.status, 204, JSON.stringify(out.body))
  assert.equal(await isGood(cloud, token), false)
  assert.deepEqual(heard, [[session]])
})

test('a service provider of pysaml2 hears of the end of a token, and ends one itself', async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let metadata = ''
  const asPeer = <T>(asked: object) => ask<T>({ ...peer, slo: server.url, metadata, subject: 'demo', ...asked })
  const heard: { before: boolean; after: boolean }[] = []
  await using server = await listening(async sent => {
    const { carried, ...told } = await asPeer<{ before: boolean; after: boolean; carried: string }>({
      do: 'told',
      sent,
    })
    heard.push(told)
    return carried
  })
  const logouts = { peer: { url: server.url, certificate_files: [peer.certificate] } }
  await using cloud = await telling([
    `cloud.public_url=${url}`,
    `identity.federation.issuer_logouts=${JSON.stringify(logouts)}`,
  ])
  await cloud.http.listen({ host: '127.0.0.1', port })
  const comeThere = async (token: string) => {
    const there = await tellPeer(cloud, token)
    metadata = there.metadata
    const read = await asPeer<{ subject?: string; session?: string; refused?: string }>({
      ...{ do: 'read', response: Buffer.from(there.told).toString('base64') },
    })
    assert.deepEqual([read.refused, read.subject], [undefined, 'demo'])
    return read.session
  }
  const revoked = await cloud.login('demo')
  assert.match((await comeThere(revoked))!, /^_/)
  await cloud.request('DELETE', '/identity/v3/auth/tokens', { token: revoked, headers: { 'x-subject-token': revoked } })
  await cloud.reconcile('identity.told_sessions')
  assert.deepEqual(server.failures, [])
  assert.deepEqual(heard, [{ before: true, after: false }])
  await cloud.reconcile('identity.told_sessions')
  assert.equal(heard.length, 1, 'it is told once')

  const token = await cloud.login('demo')
  await comeThere(token)
  const leave = (more: object = {}) =>
    asPeer<{ status?: string; refused?: string }>({
      do: 'leave',
      peer: `${url}/identity/v3/OS-FEDERATION/saml2/metadata`,
      ...more,
    })
  assert.match((await leave(keyPair('forger'))).refused ?? '', /LogoutError/)
  assert.ok(await isGood(cloud, token))
  assert.deepEqual(await leave(), { status: success })
  assert.equal(await isGood(cloud, token), false)
})
