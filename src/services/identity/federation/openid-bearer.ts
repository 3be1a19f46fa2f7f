/** A token that an OpenID provider gave to a client, shown to us as proof: what it says, when it is genuine and meant for this cloud. */
import type { IntrospectionResponse } from 'openid-client'
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import type { OpenidSettings } from './config.ts'
import { type Claims, type OpenidProvider, openidProvider, refused, unreachable } from './openid-provider.ts'

/** None with a secret that the provider shares with its clients. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const skewSeconds = 5
const longest = 16_384

const isSigned = (token: string) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)

/** The token of the header, if that has one. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization ?? '')?.[1]
}

export async function claimsOfBearer(ctx: Ctx, settings: OpenidSettings, token: string): Promise<Claims> {
  if (token.length > longest) throw refused(ctx, settings, `the token is longer than ${longest} bytes`)
  const provider = await openidProvider(ctx, settings)
  try {
    const said =
      settings.introspection || !isSigned(token)
        ? await introspected(ctx, provider, token)
        : await verified(ctx, provider, token)
    return settings.userinfo ? { ...(await userinfo(provider, token, said)), ...said } : said
  } catch (error) {
    if (error instanceof Fault) throw error
    throw (await isRefusal(error)) ? refused(ctx, settings, error) : unreachable(ctx, settings, error)
  }
}

/** Errors that are about the token, not about reaching the provider. */
async function isRefusal(error: unknown): Promise<boolean> {
  const [{ errors }, openid] = await Promise.all([import('jose'), import('openid-client')])
  if (error instanceof openid.WWWAuthenticateChallengeError) return true
  if (error instanceof openid.ResponseBodyError) return error.error !== 'invalid_client'
  return error instanceof errors.JOSEError && !['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC'].includes(error.code)
}

function audiencesOf({ audiences, client_id }: OpenidSettings): string[] {
  return audiences ?? [client_id]
}

async function verified(ctx: Ctx, { settings, client, keys }: OpenidProvider, token: string): Promise<Claims> {
  const { jwtVerify } = await import('jose')
  const { payload } = await jwtVerify(token, keys, {
    issuer: client.serverMetadata().issuer,
    audience: audiencesOf(settings),
    algorithms,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: skewSeconds,
    currentDate: new Date(ctx.clock.now()),
  })
  // A notice that somebody logged out is signed too, and meant for us.
  if (payload.events !== undefined) throw refused(ctx, settings, 'the token is a notice, not a proof')
  return payload
}

async function introspected(ctx: Ctx, { settings, client }: OpenidProvider, token: string): Promise<Claims> {
  const { issuer, introspection_endpoint } = client.serverMetadata()
  if (introspection_endpoint === undefined) {
    throw refused(ctx, settings, 'the token is not signed, and the provider has no introspection')
  }
  const { tokenIntrospection } = await import('openid-client')
  const said = await tokenIntrospection(client, token)
  const problem = problemOf(said, issuer, audiencesOf(settings), ctx.clock.now() / 1000)
  if (problem !== undefined) throw refused(ctx, settings, problem)
  return { ...said, iss: issuer }
}

function problemOf(said: IntrospectionResponse, issuer: string, audiences: string[], now: number): string | undefined {
  if (said.active !== true) return 'the token is not active'
  if (said.iss !== undefined && said.iss !== issuer) return `the token is of ${said.iss}`
  if (said.exp !== undefined && said.exp + skewSeconds <= now) return 'the token has ended'
  if (said.sub === undefined && said.client_id === undefined) return 'the token belongs to nobody'
  // A token without audience is at least that of a client that we know.
  const meant = said.aud === undefined ? [said.client_id] : [said.aud].flat()
  return meant.some(one => one !== undefined && audiences.includes(one)) ? undefined : 'the token is not meant for us'
}

async function userinfo({ client }: OpenidProvider, token: string, { sub }: Claims): Promise<Claims> {
  const openid = await import('openid-client')
  if (typeof sub === 'string') return openid.fetchUserInfo(client, token, sub)
  return openid.fetchUserInfo(client, token, openid.skipSubjectCheck)
}
