/** An OpenID provider of the configuration, with what it publishes about itself: fetched when first needed, and again after a while. */
import type { RemoteJWKSet } from 'jose'
import type { Configuration } from 'openid-client'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { messageOf, Unauthorized, Unavailable } from '#kernel/errors.ts'
import { identityConfig } from '../config.ts'
import { limitedFetch } from '../limited-fetch.ts'
import type { OpenidSettings } from './config.ts'
import type { Way } from './federation.ts'

export interface OpenidProvider {
  settings: OpenidSettings
  client: Configuration
  /** The keys that it signs with: kept, and fetched again for one that is not among them, though not often. */
  keys: RemoteJWKSet
}

/** What a provider says of somebody, each thing by its name. */
export type Claims = Readonly<Record<string, unknown>>

const freshMs = 600_000

const known = perCloud(() => new Map<OpenidSettings, { provider: Promise<OpenidProvider>; until: number }>())

/** Undefined when the way is not one of OpenID Connect. */
export function openidSettings(ctx: Ctx, { idp_id, protocol_id }: Way): OpenidSettings | undefined {
  const { openid } = ctx.config.of(identityConfig).federation
  const settings = Object.hasOwn(openid, idp_id) ? openid[idp_id] : undefined
  return (settings?.protocol ?? 'openid') === protocol_id ? settings : undefined
}

/** Throws `Unavailable` when the provider cannot be asked. */
export async function openidProvider(ctx: Ctx, settings: OpenidSettings): Promise<OpenidProvider> {
  const kept = known(ctx)
  const entry = kept.get(settings)
  if (entry && ctx.clock.now() < entry.until) return entry.provider
  const provider = discover(settings)
  kept.set(settings, { provider, until: ctx.clock.now() + freshMs })
  try {
    return await provider
  } catch (error) {
    kept.delete(settings)
    throw unreachable(ctx, settings, error)
  }
}

async function discover(settings: OpenidSettings): Promise<OpenidProvider> {
  const [openid, jose] = await Promise.all([import('openid-client'), import('jose')])
  const { issuer, client_id, client_secret } = settings
  const shown =
    settings.client_authentication === 'client_secret_post' ? openid.ClientSecretPost : openid.ClientSecretBasic
  const client = await openid.discovery(
    new URL(issuer),
    client_id,
    undefined,
    client_secret === undefined ? openid.None() : shown(client_secret),
    {
      [openid.customFetch]: limitedFetch,
      // The operator has said http: a provider on this machine, or behind a tunnel.
      ...(issuer.startsWith('http:') && { execute: [openid.allowInsecureRequests] }),
    },
  )
  const { jwks_uri } = client.serverMetadata()
  if (jwks_uri === undefined) throw new Error(`${issuer} publishes no keys (jwks_uri).`)
  const keys = jose.createRemoteJWKSet(new URL(jwks_uri), { [jose.customFetch]: limitedFetch })
  return { settings, client, keys }
}

/** The answer to a login when the provider does not do its part. */
export function unreachable(ctx: Ctx, { issuer }: OpenidSettings, error: unknown): Unavailable {
  ctx.log.warn({ err: error, issuer }, 'the OpenID provider did not answer as it should')
  return new Unavailable('The identity provider cannot be asked at the moment: try again later.', { cause: error })
}

/** The answer to what the provider does not vouch for. Why, only the log says. */
export function refused(ctx: Ctx, { issuer }: OpenidSettings, why: unknown): Unauthorized {
  ctx.log.info({ issuer, reason: messageOf(why) }, 'a login by OpenID Connect was refused')
  return new Unauthorized()
}
