/** A real OpenID provider on loopback, with users, clients and groups: what a company would let its people log in at. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ClientMetadata, errors, Provider } from 'oidc-provider'

/** The password of each is its name. */
export const people: Record<string, { name: string; email: string; groups: string[] }> = {
  alice: { name: 'Alice', email: 'alice@example.com', groups: ['staff', 'operators'] },
  bob: { name: 'Bob', email: 'bob@example.com', groups: ['staff'] },
}

/** Whom the tokens of its clients are meant for. */
export const audience = 'urn:nephos'

export interface OpenidProvider extends AsyncDisposable {
  issuer: string
  /** Changes what it says of somebody, such as groups. */
  people: typeof people
  /** A token as a client of its own gets it. */
  token(grant: Record<string, string>, client?: string): Promise<string>
}

/** Where the cloud is told of logouts: the browser comes back to the first, the provider posts to the other. */
export interface Logouts {
  post_logout_redirect_uris: string[]
  backchannel_logout_uri: string
}

function clients(redirectUris: string[], logouts?: Logouts): ClientMetadata[] {
  const told = logouts && { ...logouts, backchannel_logout_session_required: true }
  const machine = (client_id: string, ...grant_types: string[]): ClientMetadata => ({
    client_id,
    client_secret: `${client_id}-secret`,
    grant_types,
    redirect_uris: [],
    response_types: [],
  })
  return [
    { client_id: 'nephos', client_secret: 'nephos-secret', redirect_uris: redirectUris, ...told },
    machine('cli', 'password', 'client_credentials'),
    // Its tokens are references: only the provider can say what they mean.
    machine('robot', 'password', 'client_credentials'),
    // Its tokens are meant for somebody else.
    machine('stranger', 'client_credentials'),
  ]
}

export async function openidProvider(
  redirectUris: string[] = ['http://localhost/unused'],
  logouts?: Logouts,
): Promise<OpenidProvider> {
  const server = createServer()
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const known = structuredClone(people)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const audienceOf = (client: string) => (client === 'stranger' ? 'urn:other' : audience)
  const resourceServer = (client: string) => ({
    scope: 'openid profile email',
    audience: audienceOf(client),
    accessTokenFormat: client === 'robot' ? ('opaque' as const) : ('jwt' as const),
  })
  const provider = new Provider(issuer, {
    // Its own refuses addresses of this machine.
    fetch: ((url: URL, options: RequestInit) =>
      fetch(url, { ...options, dispatcher: undefined } as RequestInit)) as never,
    clients: clients(redirectUris, logouts),
    cookies: { keys: ['a key for cookies'] },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] as never },
    claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email'] },
    conformIdTokenClaims: false,
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      ClientCredentials: 600,
      Grant: 600,
      IdToken: 600,
      Interaction: 600,
      Session: 600,
    },
    findAccount: (_ctx, id) => known[id] && { accountId: id, claims: async () => ({ sub: id, ...known[id] }) },
    extraTokenClaims: (_ctx, token) => known[(token as { accountId?: string }).accountId ?? ''],
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, client) =>
          (client.clientId === 'nephos' ? undefined : audienceOf(client.clientId)) as string,
        getResourceServerInfo: (_ctx, _resource, client) => resourceServer(client.clientId),
        useGrantedResource: () => true,
      },
    },
  })
  provider.registerGrantType<{ username?: string; password?: string }>(
    'password',
    async ctx => {
      const { client, params } = ctx.oidc
      const { username = '', password } = params
      if (!known[username] || password !== username) throw new errors.InvalidGrant('wrong name or password')
      const grant = new provider.Grant({ accountId: username, clientId: client.clientId })
      const grantId = await grant.save()
      const token = new provider.AccessToken({ accountId: username, client, grantId, gty: 'password' } as never)
      token.resourceServer = new provider.ResourceServer(audience, resourceServer(client.clientId))
      ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration }
    },
    ['username', 'password', 'scope'],
  )
  server.on('request', provider.callback())
  return {
    issuer,
    people: known,
    async token(grant, client = 'cli') {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}` },
        body: new URLSearchParams(grant),
      })
      const body = (await answer.json()) as { access_token?: string }
      if (!body.access_token) throw new Error(`no token: ${JSON.stringify(body)}`)
      return body.access_token
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}

/** A browser at the provider: keeps cookies, follows redirects, fills in its forms. Returns where it is sent outside. */
export function browserAt({ issuer }: OpenidProvider): (address: string, login: string) => Promise<URL> {
  const jar = new Map<string, string>()
  return async (address, login) => {
    let next = new URL(address)
    let form: URLSearchParams | undefined
    while (next.origin === issuer) {
      const answer = await fetch(next, {
        redirect: 'manual',
        method: form ? 'POST' : 'GET',
        headers: { cookie: [...jar].map(pair => pair.join('=')).join('; ') },
        ...(form && { body: form }),
      })
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
        jar.set(name!, value!)
      }
      const location = answer.headers.get('location')
      form = undefined
      if (location) {
        next = new URL(location, next)
        continue
      }
      const page = await answer.text()
      if (answer.status !== 200) throw new Error(page)
      form = filledIn(page, login)
      next = new URL(/action="([^"]+)"/.exec(page)![1]!, next)
    }
    return next
  }
}

/** The forms to log in, to consent, and to log out. */
function filledIn(page: string, login: string): URLSearchParams {
  const xsrf = /name="xsrf" value="(\w+)"/.exec(page)?.[1]
  if (xsrf) return new URLSearchParams({ xsrf, logout: 'yes' })
  const prompt = /name="prompt" value="(\w+)"/.exec(page)![1]!
  return new URLSearchParams(prompt === 'login' ? { prompt, login, password: 'x' } : { prompt })
}
