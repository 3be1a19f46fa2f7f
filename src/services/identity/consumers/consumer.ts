/** Signed requests of OAuth1 consumers. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Unauthorized } from '#kernel/errors.ts'
import { unsealed } from '../credentials/credential.ts'
import { sameSignature } from '../ec2-signature.ts'
import { oauthHeader, oauthSignature } from '../oauth1-signature.ts'
import { type AccessTokenRow, accessTokens, consumers } from './store.ts'

/** What of a request its signature covers. */
export interface SignedBy {
  method: string
  /** Path and query as sent. */
  url: string
  headers: Record<string, string | undefined>
}

/** The members of the request's header, of which some must be there. */
export function oauthParams({ headers }: SignedBy, needed: readonly string[]): Record<string, string> {
  const params = oauthHeader(headers.authorization)
  if (!params) throw new BadRequest('Error retrieving OAuth headers.')
  for (const name of needed) {
    if (!params[name]) throw new BadRequest(`Expecting to find ${name} in request.`)
  }
  return params
}

/** How far clocks may differ. */
const skew = 600_000

/** Refuses a request that the consumer did not sign, with the secret of its token if it has one. */
export async function checkSigned(
  ctx: Ctx,
  request: SignedBy,
  params: Record<string, string>,
  tokenSecret?: string,
): Promise<void> {
  const consumer = await consumers.find(ctx.db, { id: params.oauth_consumer_key ?? '' })
  if (!consumer) throw new Unauthorized('Provided consumer does not exist.')
  const at = Number(params.oauth_timestamp) * 1000
  if (!(Math.abs(ctx.clock.now() - at) <= skew)) throw new Unauthorized('Invalid signature')
  const secret = await unsealed(ctx, consumer.encrypted_secret)
  const described = { method: request.method, url: `${ctx.base}${request.url}`, params }
  const wanted = oauthSignature(described, secret, tokenSecret ? await unsealed(ctx, tokenSecret) : '')
  if (!sameSignature(params.oauth_signature ?? '', wanted)) throw new Unauthorized('Invalid signature')
}

/** The access token that signed the request. */
export async function accessTokenOf(ctx: Ctx, request: SignedBy): Promise<AccessTokenRow> {
  const params = oauthParams(request, ['oauth_token', 'oauth_consumer_key'])
  const row = await accessTokens.find(ctx.db, { id: params.oauth_token! })
  if (!row || row.consumer_id !== params.oauth_consumer_key) {
    throw new Unauthorized('Could not validate the access token')
  }
  if (row.expires_at !== null && row.expires_at <= ctx.clock.now()) throw new Unauthorized('Access token is expired')
  await checkSigned(ctx, request, params, row.encrypted_secret)
  return row
}
