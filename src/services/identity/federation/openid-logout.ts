/** Logout of OpenID Connect: begun here it goes on to the provider, and the provider tells of its own (back-channel). */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, messageOf } from '#kernel/errors.ts'
import type { OpenidSettings } from './config.ts'
import type { Way } from './federation.ts'
import { openidProvider } from './openid-provider.ts'
import { useUp } from './saml-response.ts'
import { endSessionsOf } from './session.ts'

const event = 'http://schemas.openid.net/event/backchannel-logout'
const freshMs = 300_000

/** Where the browser goes to log out; undefined when the provider has no such place. */
export async function openidLogoutAddress(
  ctx: Ctx,
  settings: OpenidSettings,
  { back, state, subject }: { back: string; state: string; subject: string },
): Promise<string | undefined> {
  const { client } = await openidProvider(ctx, settings)
  if (client.serverMetadata().end_session_endpoint === undefined) return undefined
  const { buildEndSessionUrl } = await import('openid-client')
  return buildEndSessionUrl(client, { post_logout_redirect_uri: back, state, logout_hint: subject }).href
}

/** The provider says that somebody has logged out there, by a token that it signed. */
export async function endedByToken(ctx: Ctx, way: Way, settings: OpenidSettings, token: string): Promise<void> {
  const { keys } = await openidProvider(ctx, settings)
  const said = await claimsOf(ctx, settings, token, keys).catch(error => {
    ctx.log.info({ issuer: settings.issuer, reason: messageOf(error) }, 'a request to log out was refused')
    throw new BadRequest('The logout token is not good.', { cause: error })
  })
  const { sub, sid } = said
  if (sub !== undefined)
    await endSessionsOf(ctx, way, { subject: sub, session_indexes: sid === undefined ? [] : [sid] })
  else await endSessionsOf(ctx, way, { session_indexes: [sid!] })
}

async function claimsOf(
  ctx: Ctx,
  { issuer, client_id }: OpenidSettings,
  token: string,
  keys: Awaited<ReturnType<typeof openidProvider>>['keys'],
): Promise<{ sub?: string | undefined; sid?: string | undefined }> {
  const { jwtVerify } = await import('jose')
  const currentDate = new Date(ctx.clock.now())
  const { payload } = await jwtVerify(token, keys, { issuer, audience: client_id, currentDate, clockTolerance: 5 })
  const { events, nonce, sub, sid, jti, iat } = payload
  if (typeof events !== 'object' || !Object.hasOwn(events as object, event)) throw new Error('it is no logout token')
  if (nonce !== undefined) throw new Error('it has a nonce')
  if (typeof sub !== 'string' && typeof sid !== 'string') throw new Error('it says of whom by neither sub nor sid')
  const made = (iat ?? 0) * 1000
  if (!(Math.abs(ctx.clock.now() - made) < freshMs)) throw new Error('it is not fresh')
  await useUp(ctx, `${issuer}\n${jti}`, made + freshMs)
  return { sub, ...(typeof sid === 'string' && { sid }) }
}
