/** The end of logins by identity providers: begun here with a token, or there with a message. */
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { bodyText } from '#kernel/http/body-text.ts'
import { operation, type Reply, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { auditIdsOf } from '../federated-token.ts'
import { trustedSite } from './dashboard.ts'
import type { Way } from './federation.ts'
import { journeyCookie, journeyOf, openJourney, sealJourney, unguessable } from './journey.ts'
import { findWay } from './mapped.ts'
import { endedByToken, openidLogoutAddress } from './openid-logout.ts'
import { openidSettings } from './openid-provider.ts'
import { unknownWay } from './operations.ts'
import { fromEnvelope } from './saml-envelope.ts'
import { longest } from './saml-login.ts'
import { endedThere, tellProvider } from './saml-logout.ts'
import { saml2Settings } from './saml-response.ts'
import { endSession, sessionBehind } from './session.ts'
import { sendTo } from './websso.ts'

const path = '/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/logout'

function logoutAddress(ctx: Ctx, { idp_id, protocol_id }: Way): string {
  const [idp, protocol] = [idp_id, protocol_id].map(encodeURIComponent)
  return `${ctx.publicUrl}/identity/v3/auth/OS-FEDERATION/identity_providers/${idp}/protocols/${protocol}/logout`
}

const samlPlace = (ctx: Ctx, way: Way) => {
  const settings = saml2Settings(ctx, way)
  return settings && { way, settings, address: logoutAddress(ctx, way) }
}

/** Ends the login that the token comes from, and sends the browser on to the provider. */
async function begin(ctx: Ctx, way: Way, form: URLSearchParams): Promise<Reply> {
  const auditIds = await auditIdsOf(ctx, form.get('token') ?? '')
  const session = auditIds && (await sessionBehind(ctx, way, auditIds))
  if (!session) throw new Unauthorized()
  const saml = samlPlace(ctx, way)
  const openid = openidSettings(ctx, way)
  if (!saml && !openid) throw unknownWay(way)
  const origin = form.has('origin') ? trustedSite(ctx, form.get('origin')!) : undefined
  await endSession(ctx, session)
  const { idp_id, protocol_id } = way
  const state = unguessable(ctx)
  const subject = session.subject.text
  const address = saml
    ? await tellProvider(ctx, saml, session, state)
    : await openidLogoutAddress(ctx, openid!, { back: logoutAddress(ctx, way), state, subject })
  if (address !== undefined && origin !== undefined) {
    const journey = await sealJourney(ctx, { idp_id, protocol_id, origin, state, nonce: '', verifier: '' })
    // A SAML provider may send its answer by a form.
    return sendTo(address, journeyCookie(ctx, journey, { crossSite: saml !== undefined }))
  }
  const location = origin ?? address
  return location === undefined
    ? reply(undefined, { status: 204 })
    : reply(undefined, { status: 302, headers: { location } })
}

/** The browser is back from the provider: it goes on to where it began. */
async function finish(ctx: Ctx, way: Way, cookies: string | undefined, state: string | null): Promise<Reply> {
  const journey = await openJourney(ctx, journeyOf(cookies), way)
  if (!journey || journey.state !== state) throw new Unauthorized('This logout was not begun in this browser.')
  return sendTo(journey.origin, journeyCookie(ctx, '', { crossSite: false }))
}

const byBrowser = operation({
  id: 'identity.federation.logout',
  method: 'GET',
  path,
  summary: 'Log out by an identity provider: its request, or the way back from there',
  answers: 'text/html',
  policy: 'public',
  query: Type.Object({}, { additionalProperties: true }),
  async handle(ctx, { params, headers, url }) {
    await findWay(ctx, params)
    const query = url.slice(url.indexOf('?') + 1)
    const sent = new URLSearchParams(query)
    const saml = samlPlace(ctx, params)
    if (saml && sent.has('SAMLRequest')) return endedThere(ctx, saml, { query, relay: sent.get('RelayState') })
    return finish(ctx, params, headers.cookie, sent.get(saml ? 'RelayState' : 'state'))
  },
})

const isXml = (type: string | undefined) => /^(text|application)\/(soap\+)?xml\b/i.test(type ?? '')

const byMessage = operation({
  id: 'identity.federation.logout_post',
  method: 'POST',
  path,
  summary: 'Log out by an identity provider: with a token, or as the provider says',
  policy: 'public',
  raw: true,
  async handle(ctx, { params, headers, stream }) {
    await findWay(ctx, params)
    const text = await bodyText(stream, longest)
    const saml = samlPlace(ctx, params)
    if (saml && isXml(headers['content-type'])) {
      return endedThere(ctx, saml, { xml: fromEnvelope(text, 'LogoutRequest'), isSoap: true })
    }
    const form = new URLSearchParams(text)
    const request = form.get('SAMLRequest')
    if (saml && request !== null) {
      const xml = fromEnvelope(Buffer.from(request, 'base64').toString('utf8'), 'LogoutRequest')
      return endedThere(ctx, saml, { xml, relay: form.get('RelayState') })
    }
    if (saml && form.has('SAMLResponse')) return finish(ctx, params, headers.cookie, form.get('RelayState'))
    const openid = openidSettings(ctx, params)
    const logoutToken = form.get('logout_token')
    if (!openid || logoutToken === null) return begin(ctx, params, form)
    await endedByToken(ctx, params, openid, logoutToken)
    return reply(undefined, { status: 200, headers: { 'cache-control': 'no-store' } })
  },
})

export const logoutOperations = [byBrowser, byMessage]
