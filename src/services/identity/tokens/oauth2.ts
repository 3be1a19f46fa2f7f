/** OAuth 2.0 client credentials (RFC 6749, 4.4): an application credential as the client, a token as the access token. */
import type { Ctx } from '#kernel/context.ts'
import { Unauthorized } from '#kernel/errors.ts'
import { bodyText } from '#kernel/http/body-text.ts'
import { operation, type Reply, reply } from '#kernel/operation.ts'
import { freshGeneration } from '../revocations/revocation.ts'
import { needsMore } from './factors.ts'
import { grantedFacts } from './facts.ts'
import { prove } from './methods.ts'
import { mint } from './mint.ts'

/** Of a form, in bytes. */
const longest = 65_536

/** A refusal in OAuth 2.0's own words. */
function refusal(ctx: Ctx, status: number, error: string, error_description: string): Reply {
  const headers: Record<string, string> =
    status === 401 ? { 'www-authenticate': `Keystone uri="${ctx.base}/identity/v3"` } : {}
  return reply({ error, error_description }, { status, headers })
}

interface Client {
  id: string
  secret: string
}

/** Who asks: by the header, or by the form. */
function clientOf(authorization: string | undefined, form: URLSearchParams): Client | undefined {
  const basic = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1]
  const [, id, secret] = basic
    ? (/^([^:]*):(.*)$/s.exec(Buffer.from(basic, 'base64').toString()) ?? [])
    : [undefined, form.get('client_id') ?? undefined, form.get('client_secret') ?? undefined]
  return id && secret ? { id, secret } : undefined
}

async function tokenFor(ctx: Ctx, client: Client, request: Parameters<typeof prove>[2]) {
  const generation = await freshGeneration(ctx)
  const methods = ['application_credential']
  const proof = await prove(ctx, { methods, application_credential: client }, request)
  const { answer } = await needsMore(ctx, { user_id: proof.user_id, methods, generation })
  const { id, project_id } = proof.applicationCredential!
  const claimed = {
    user_id: proof.user_id,
    scope: { type: 'project' as const, id: project_id },
    application_credential_id: id,
  }
  const facts = answer ? undefined : await grantedFacts(ctx, claimed)
  if (!facts) throw new Unauthorized()
  return mint(ctx, { ...claimed, facts, generation, methods, withCatalog: false })
}

export const oauth2Token = operation({
  id: 'identity.oauth2.token',
  method: 'POST',
  path: '/v3/OS-OAUTH2/token',
  summary: 'Get an OAuth 2.0 access token for an application credential',
  policy: 'public',
  raw: true,
  async handle(ctx, { stream, headers, method, url, source }) {
    const form = new URLSearchParams(await bodyText(stream, longest))
    const kind = form.get('grant_type')
    if (kind === null) return refusal(ctx, 400, 'invalid_request', 'The parameter grant_type is required.')
    if (kind !== 'client_credentials') {
      return refusal(ctx, 400, 'unsupported_grant_type', `The parameter grant_type ${kind} is not supported.`)
    }
    const client = clientOf(headers.authorization, form)
    const failed = 'Client authentication failed.'
    if (!client) return refusal(ctx, 401, 'invalid_client', failed)
    try {
      const { token, body } = await tokenFor(ctx, client, { headers, method, url, source })
      const left = Date.parse(body.token.expires_at) - ctx.clock.now()
      return reply(
        { access_token: token, token_type: 'Bearer', expires_in: Math.floor(left / 1000) },
        { status: 200, headers: { 'cache-control': 'no-store', pragma: 'no-cache' } },
      )
    } catch (error) {
      if (error instanceof Unauthorized) return refusal(ctx, 401, 'invalid_client', failed)
      throw error
    }
  },
})
