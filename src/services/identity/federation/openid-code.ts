/** OpenID Connect in the browser: the code flow with state, nonce and PKCE. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import type { OpenidSettings } from './config.ts'
import type { Journey } from './journey.ts'
import { type Claims, openidProvider, refused, unreachable } from './openid-provider.ts'

/** Where the browser goes to log in. */
export async function openidStart(
  ctx: Ctx,
  settings: OpenidSettings,
  { state, nonce, verifier }: Journey,
  redirect_uri: string,
): Promise<string> {
  const { client } = await openidProvider(ctx, settings)
  const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await import('openid-client')
  return buildAuthorizationUrl(client, {
    redirect_uri,
    scope: settings.scopes ?? 'openid profile email',
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).href
}

/** What the provider says of who came back from there. `address` is the one that the browser came back to. */
export async function openidEnd(ctx: Ctx, settings: OpenidSettings, journey: Journey, address: URL): Promise<Claims> {
  const { client } = await openidProvider(ctx, settings)
  const openid = await import('openid-client')
  try {
    const tokens = await openid.authorizationCodeGrant(client, address, {
      expectedState: journey.state,
      expectedNonce: journey.nonce,
      pkceCodeVerifier: journey.verifier,
      idTokenExpected: true,
    })
    const said: Claims = { ...tokens.claims() }
    if (!settings.userinfo) return said
    return { ...(await openid.fetchUserInfo(client, tokens.access_token, String(said.sub))), ...said }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw isAnswer(error, openid) ? refused(ctx, settings, error) : unreachable(ctx, settings, error)
  }
}

/** Errors in what came back, not in reaching the provider. */
function isAnswer(error: unknown, openid: typeof import('openid-client')): boolean {
  const { AuthorizationResponseError, ResponseBodyError, ClientError } = openid
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) return true
  return error instanceof ClientError && error.code !== 'OAUTH_TIMEOUT'
}
