/** Logging in with a browser: to the identity provider, back from there, and with a token on to the dashboard. */
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { bodyText } from '#kernel/http/body-text.ts'
import { type Operation, operation, type Reply, reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { identityConfig } from '../config.ts'
import { federatedToken } from '../federated-token.ts'
import { identityProviders, protocols } from '../identity-providers/store.ts'
import { first } from '../listing.ts'
import type { OpenidSettings, Saml2Settings } from './config.ts'
import { type Choice, chooseProvider, sendToDashboard, trustedOrigin } from './dashboard.ts'
import type { Way } from './federation.ts'
import { type Journey, journeyCookie, journeyOf, openJourney, sealJourney, unguessable } from './journey.ts'
import { type Login, logIn } from './login.ts'
import { findWay } from './mapped.ts'
import { saidByOpenid } from './openid.ts'
import { openidEnd, openidStart } from './openid-code.ts'
import { openidSettings } from './openid-provider.ts'
import { unknownWay } from './operations.ts'
import { longest, samlEnd, samlStart } from './saml-login.ts'
import { saml2Settings } from './saml-response.ts'

const text = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]))
const query = Type.Object({ origin: text, state: text })

/** Where a provider sends the browser back to: what is registered there. */
function returnAddress(ctx: Ctx, { idp_id, protocol_id }: Way): string {
  const [idp, protocol] = [idp_id, protocol_id].map(encodeURIComponent)
  return `${ctx.publicUrl}/identity/v3/auth/OS-FEDERATION/identity_providers/${idp}/protocols/${protocol}/websso`
}

/** With a cookie to know the browser by when it comes back. */
export function sendTo(location: string, cookie: string): Reply {
  return reply(undefined, { status: 302, headers: { location, 'set-cookie': cookie, 'cache-control': 'no-store' } })
}

async function start(ctx: Ctx, way: Way, origin: string): Promise<Reply> {
  await findWay(ctx, way)
  const openid = openidSettings(ctx, way)
  const saml = saml2Settings(ctx, way)
  const { idp_id, protocol_id } = way
  // An id in XML begins with a letter or a line.
  const [state, nonce, verifier] = [unguessable(ctx), `_${unguessable(ctx)}`, unguessable(ctx)] as const
  const journey = { idp_id, protocol_id, origin, state, nonce, verifier }
  const back = returnAddress(ctx, way)
  if (!saml && !openid) throw unknownWay(way)
  const address = saml ? await samlStart(ctx, way, saml, journey, back) : await openidStart(ctx, openid!, journey, back)
  return sendTo(address, journeyCookie(ctx, await sealJourney(ctx, journey), { crossSite: saml !== undefined }))
}

async function arrive(ctx: Ctx, login: Login, origin: string): Promise<Reply> {
  const issued = await federatedToken(ctx, login)
  if (!('token' in issued))
    throw new Unauthorized('This user has to show more than a browser can: use the command line.')
  const page = sendToDashboard(trustedOrigin(ctx, origin), issued.token)
  return reply(page.body, {
    status: 200,
    headers: { ...page.headers, 'set-cookie': journeyCookie(ctx, '', { crossSite: false }) },
  })
}

async function begun(ctx: Ctx, way: Way, cookies: string | undefined): Promise<Journey> {
  const journey = await openJourney(ctx, journeyOf(cookies), way)
  if (!journey) throw new Unauthorized('This login was not begun in this browser, or too long ago: begin again.')
  return journey
}

async function endSaml(
  ctx: Ctx,
  way: Way,
  settings: Saml2Settings,
  { cookies, form }: { cookies: string | undefined; form: URLSearchParams },
): Promise<Reply> {
  const journey = await begun(ctx, way, cookies)
  const sent = { form, address: returnAddress(ctx, way) }
  return arrive(ctx, await logIn(ctx, way, () => samlEnd(ctx, way, settings, journey, sent)), journey.origin)
}

async function endOpenid(
  ctx: Ctx,
  way: Way,
  settings: OpenidSettings,
  { cookies, search }: { cookies: string | undefined; search: string },
): Promise<Reply> {
  const journey = await begun(ctx, way, cookies)
  const address = new URL(returnAddress(ctx, way) + search)
  const login = await logIn(ctx, way, async () => saidByOpenid(await openidEnd(ctx, settings, journey, address)))
  return arrive(ctx, login, journey.origin)
}

/** The identity providers that are open and know the protocol, as the configuration says how to speak to them. */
async function choices(ctx: Ctx, protocol_id: string, origin: string): Promise<Choice[]> {
  const { openid, saml2 } = ctx.config.of(identityConfig).federation
  const enabled = await identityProviders.list(ctx.db, {
    enabled: true,
    id: [...Object.keys(openid), ...Object.keys(saml2)],
  })
  const found = await protocols.list(ctx.db, { id: protocol_id, idp_id: enabled.map(one => one.id) })
  return found.map(({ idp_id }) => ({
    name: enabled.find(one => one.id === idp_id)?.description || idp_id,
    url: `${returnAddress(ctx, { idp_id, protocol_id })}?origin=${encodeURIComponent(origin)}`,
  }))
}

function both(suffix: (method: 'GET' | 'POST') => Operation): Operation[] {
  return [suffix('GET'), suffix('POST')]
}

const ofProvider = both(method =>
  operation({
    id: method === 'GET' ? 'identity.federation.websso_provider' : 'identity.federation.websso_provider_post',
    method,
    path: '/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso',
    summary: 'Log in with a browser by an identity provider',
    policy: 'public',
    query,
    raw: true,
    async handle(ctx, { params, query, headers, url, stream }) {
      const saml = method === 'POST' ? saml2Settings(ctx, params) : undefined
      const form = new URLSearchParams(saml ? await bodyText(stream, longest) : '')
      if (saml && form.has('SAMLResponse')) return endSaml(ctx, params, saml, { cookies: headers.cookie, form })
      const settings = openidSettings(ctx, params)
      if (query.state !== undefined && settings) {
        return endOpenid(ctx, params, settings, { cookies: headers.cookie, search: url.slice(url.indexOf('?')) })
      }
      return start(ctx, params, trustedOrigin(ctx, first(query.origin)))
    },
  }),
)

const ofProtocol = both(method =>
  operation({
    id: method === 'GET' ? 'identity.federation.websso' : 'identity.federation.websso_post',
    method,
    path: '/v3/auth/OS-FEDERATION/websso/{protocol_id}',
    summary: 'Log in with a browser by the identity provider that speaks a protocol, or choose one',
    policy: 'public',
    query,
    raw: true,
    async handle(ctx, { params: { protocol_id }, query }) {
      const origin = trustedOrigin(ctx, first(query.origin))
      const found = await choices(ctx, protocol_id, origin)
      if (found.length === 0) throw new Unauthorized('Missing entity ID from environment')
      if (found.length > 1) return chooseProvider(found)
      return reply(undefined, { status: 302, headers: { location: found[0]!.url } })
    },
  }),
)

export const webssoOperations = [...ofProvider, ...ofProtocol]
