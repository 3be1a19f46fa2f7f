/** This cloud as a SAML 2.0 service provider: what it asks, and how answers reach it. */
import type { Readable } from 'node:stream'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, UnsupportedMediaType } from '#kernel/errors.ts'
import { bodyText } from '#kernel/http/body-text.ts'
import { type Reply, reply } from '#kernel/operation.ts'
import type { Saml2Settings } from './config.ts'
import type { Way } from './federation.ts'
import { type Journey, openJourney, sealJourney, unguessable } from './journey.ts'
import type { Said } from './mapped.ts'
import { fromEnvelope } from './saml-envelope.ts'
import { saidBySaml } from './saml-response.ts'
import { ecpRequest } from './saml-xml.ts'
import { xmlLibraries } from './xml-libraries.ts'

/** Of a message, in bytes. */
export const longest = 262_144
const paos = 'application/vnd.paos+xml'

/** Where logins without a browser go; also this cloud's name, when the configuration gives it none. */
export function samlAddress(ctx: Ctx, { idp_id, protocol_id }: Way): string {
  const [idp, protocol] = [idp_id, protocol_id].map(encodeURIComponent)
  return `${ctx.publicUrl}/identity/v3/OS-FEDERATION/identity_providers/${idp}/protocols/${protocol}/auth`
}

export function ownEntityId(ctx: Ctx, way: Way, settings: Saml2Settings): string {
  return settings.own_entity_id ?? samlAddress(ctx, way)
}

export const asksForPaos = (accept: string | undefined) => accept?.includes(paos) ?? false

/** A request that we can recognize without remembering it: its id is sealed. */
async function requestId(ctx: Ctx, way: Way): Promise<string> {
  const sealed = await sealJourney(ctx, { ...way, origin: '', state: unguessable(ctx), nonce: '', verifier: '' })
  return `_${sealed}`
}

const isOurs = async (ctx: Ctx, way: Way, id: string) => (await openJourney(ctx, id.slice(1), way)) !== undefined

/** The question for a client that speaks to the identity provider itself. */
export async function ecpChallenge(ctx: Ctx, way: Way, settings: Saml2Settings): Promise<Reply> {
  const { idp_id, protocol_id } = way
  const id = await requestId(ctx, { idp_id, protocol_id })
  const asked = { id, issuer: ownEntityId(ctx, way, settings), consumer: samlAddress(ctx, way), now: ctx.clock.now() }
  const xml = ecpRequest(asked, `ss:mem:${ctx.ids.hex()}`)
  // As bytes: a client compares the type, which a charset would change.
  return reply(Buffer.from(xml), { status: 200, headers: { 'content-type': paos, 'cache-control': 'no-store' } })
}

/** The response in a form (POST binding) or in an envelope (ECP). */
function responseIn(contentType: string | undefined, text: string): string {
  const type = contentType?.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') {
    const sent = new URLSearchParams(text).get('SAMLResponse')
    if (!sent) throw new BadRequest('The form has no SAMLResponse.')
    return Buffer.from(sent, 'base64').toString('utf8')
  }
  if (type === paos || type === 'text/xml' || type === 'application/xml') return fromEnvelope(text, 'Response')
  throw new UnsupportedMediaType(`Send a SAML response as ${paos} or as a form.`)
}

/** What a response says that came without a browser: to a request of ours, or unasked, as from another cloud. */
export async function saidDirectly(
  ctx: Ctx,
  way: Way,
  settings: Saml2Settings,
  { contentType, stream }: { contentType: string | undefined; stream: Readable },
): Promise<Said> {
  const xml = responseIn(contentType, await bodyText(stream, longest))
  return saidBySaml(ctx, xml, {
    settings,
    audience: ownEntityId(ctx, way, settings),
    recipient: samlAddress(ctx, way),
    answers: async id => id === undefined || isOurs(ctx, way, id),
  })
}

/** Where a browser goes to log in. */
export async function samlStart(
  ctx: Ctx,
  way: Way,
  settings: Saml2Settings,
  { state, nonce }: Journey,
  address: string,
): Promise<string> {
  const { sso_url } = settings
  if (sso_url === undefined) {
    throw new BadRequest(`Nobody can log in by ${way.idp_id} with a browser: its sso_url is not configured.`)
  }
  const { SAML } = xmlLibraries.saml()
  const saml = new SAML({
    callbackUrl: address,
    entryPoint: sso_url,
    issuer: ownEntityId(ctx, way, settings),
    // Only what comes back is looked at with it.
    idpCert: 'unused',
    identifierFormat: null,
    disableRequestedAuthnContext: true,
    generateUniqueId: () => nonce,
  })
  return saml.getAuthorizeUrlAsync(state, undefined, {})
}

/** What the form says that the browser brought back. */
export async function samlEnd(
  ctx: Ctx,
  way: Way,
  settings: Saml2Settings,
  journey: Journey,
  { form, address }: { form: URLSearchParams; address: string },
): Promise<Said> {
  const xml = Buffer.from(form.get('SAMLResponse') ?? '', 'base64').toString('utf8')
  return saidBySaml(ctx, xml, {
    settings,
    audience: ownEntityId(ctx, way, settings),
    recipient: address,
    answers: async id => id === journey.nonce && form.get('RelayState') === journey.state,
  })
}
