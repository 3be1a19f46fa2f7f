/** Single logout of SAML, with this cloud as the service provider: its tokens end when the provider says so, and it says when they do. */
import { readFile } from 'node:fs/promises'
import type { Ctx } from '#kernel/context.ts'
import { messageOf, NotImplemented, Unavailable } from '#kernel/errors.ts'
import { type Reply, reply } from '#kernel/operation.ts'
import type { Saml2Settings } from './config.ts'
import type { Way } from './federation.ts'
import { ownEntityId } from './saml-login.ts'
import {
  type Came,
  logoutRequestXml,
  logoutResponseXml,
  readLogoutRequest,
  redirectWith,
  signedSoap,
  tellBySoap,
} from './saml-logout-message.ts'
import { endSessionsOf } from './session.ts'
import type { FederatedSession } from './store.ts'

interface Place {
  way: Way
  settings: Saml2Settings
  /** Where this cloud's single logout is. */
  address: string
}

async function ownKey({ way, settings }: Place): Promise<string> {
  if (settings.own_key_file === undefined) {
    throw new NotImplemented(
      `This cloud signs nothing for ${way.idp_id}: set own_key_file for it in identity.federation.saml2.`,
    )
  }
  return readFile(settings.own_key_file, 'utf8')
}

/** The provider says that somebody has logged out there. The answer goes the way that the request came, but for forms. */
export async function endedThere(ctx: Ctx, place: Place, came: Came & { relay?: string | null; isSoap?: boolean }) {
  const { way, settings, address } = place
  const key = await ownKey(place)
  const { slo_url, entity_id, certificate_files } = settings
  if (!came.isSoap && slo_url === undefined) {
    throw new NotImplemented(`Nobody would get the answer: set slo_url for ${way.idp_id} in identity.federation.saml2.`)
  }
  const request = await readLogoutRequest(ctx, came, { entity_id, certificate_files, destination: address })
  await endSessionsOf(ctx, way, request)
  const xml = logoutResponseXml({
    ...{ id: `_${ctx.ids.hex()}`, issuer: ownEntityId(ctx, way, settings), destination: slo_url ?? entity_id },
    ...{ now: ctx.clock.now(), answers: request.id },
  })
  if (came.isSoap) return soapReply(signedSoap(xml, key))
  const location = redirectWith(slo_url!, xml, { key, relay: came.relay ?? undefined })
  return reply(undefined, { status: 302, headers: { location, 'cache-control': 'no-store' } })
}

export function soapReply(envelope: string): Reply {
  return reply(Buffer.from(envelope), { status: 200, headers: { 'content-type': 'text/xml' } })
}

/** Tells the provider that the login ended here: the address for the browser to go to, or nothing when there is none to go to. */
export async function tellProvider(
  ctx: Ctx,
  place: Place,
  session: FederatedSession,
  relay: string,
): Promise<string | undefined> {
  const { way, settings } = place
  const { slo_url, slo_binding = 'redirect' } = settings
  if (slo_url === undefined) return undefined
  const key = await ownKey(place)
  const xml = logoutRequestXml({
    ...{ id: `_${ctx.ids.hex()}`, issuer: ownEntityId(ctx, way, settings), destination: slo_url },
    ...{ now: ctx.clock.now(), subject: session.subject, session_index: session.session_index },
  })
  if (slo_binding === 'redirect') return redirectWith(slo_url, xml, { key, relay })
  try {
    await tellBySoap(slo_url, signedSoap(xml, key))
  } catch (error) {
    ctx.log.warn({ idp: way.idp_id, reason: messageOf(error) }, 'an identity provider was not told of a logout')
    throw new Unavailable('You are logged out here, but the identity provider could not be told.', { cause: error })
  }
  return undefined
}
