/** Logging in by an identity provider, without a browser. */
import type { Ctx } from '#kernel/context.ts'
import { NotImplemented, Unauthorized } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { federatedAnswer } from '../federated-token.ts'
import type { Way } from './federation.ts'
import { logIn } from './login.ts'
import { findWay, type Said } from './mapped.ts'
import { saidByOpenid } from './openid.ts'
import { bearerOf, claimsOfBearer } from './openid-bearer.ts'
import { openidSettings } from './openid-provider.ts'
import { issuerOperations } from './saml-issuer.ts'
import { asksForPaos, ecpChallenge, saidDirectly } from './saml-login.ts'
import { saml2Settings } from './saml-response.ts'

export function unknownWay({ idp_id, protocol_id }: Way): NotImplemented {
  return new NotImplemented(
    `The configuration of this cloud does not say how to speak ${protocol_id} to ${idp_id}: see identity.federation.`,
  )
}

/** By a token that the client has from its OpenID provider. */
async function byBearer(ctx: Ctx, way: Way, authorization: string | undefined): Promise<Said> {
  const settings = openidSettings(ctx, way)
  if (!settings) throw unknownWay(way)
  const token = bearerOf(authorization)
  if (token === undefined) throw new Unauthorized(undefined, { headers: { 'www-authenticate': 'Bearer' } })
  return saidByOpenid(await claimsOfBearer(ctx, settings, token))
}

const answer = async (ctx: Ctx, way: Way, prove: () => Promise<Said>) =>
  federatedAnswer(ctx, await logIn(ctx, way, prove))

const logins = (['GET', 'POST'] as const).map(method =>
  operation({
    id: method === 'GET' ? 'identity.federation.auth' : 'identity.federation.auth_post',
    method,
    path: '/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth',
    summary: 'Log in by an identity provider and get an unscoped token',
    policy: 'public',
    raw: true,
    async handle(ctx, { params, headers, stream }) {
      const saml = saml2Settings(ctx, params)
      if (!saml) return answer(ctx, params, () => byBearer(ctx, params, headers.authorization))
      if (method === 'POST') {
        const sent = { contentType: headers['content-type'], stream }
        return answer(ctx, params, () => saidDirectly(ctx, params, saml, sent))
      }
      await findWay(ctx, params)
      if (!asksForPaos(headers.accept)) throw new Unauthorized()
      return ecpChallenge(ctx, params, saml)
    },
  }),
)

export const federationOperations = [...logins, ...issuerOperations]
