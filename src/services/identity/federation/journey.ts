/** What a browser carries from the start of a login to its end at the identity provider and back: sealed, and good for ten minutes. */
import { decode, encode } from '@msgpack/msgpack'
import type { Ctx } from '#kernel/context.ts'
import { open, seal } from '../fernet.ts'
import { keysFor } from '../keys/key.ts'
import type { Way } from './federation.ts'

/** Tells a journey from a token: both are sealed with the same keys. */
const layout = 'websso'
const patienceMs = 600_000

export interface Journey extends Way {
  /** The dashboard that gets the token. */
  origin: string
  /** What the provider must send back. */
  state: string
  /** OpenID Connect: what its tokens must name, and the proof that who asks for them is who began. */
  nonce: string
  verifier: string
}

export async function sealJourney(ctx: Ctx, journey: Journey): Promise<string> {
  const [key] = await keysFor(ctx, 'token')
  const { idp_id, protocol_id, origin, state, nonce, verifier } = journey
  const now = ctx.clock.now()
  const fields = [layout, idp_id, protocol_id, origin, state, nonce, verifier, now + patienceMs]
  return seal(key!, encode(fields), Math.floor(now / 1000), ctx.ids.bytes(16))
}

type Texts = [string, string, string, string, string, string, string]

/** Undefined unless it was begun here, for this way, not long ago. */
export async function openJourney(ctx: Ctx, sealed: string | undefined, way: Way): Promise<Journey | undefined> {
  if (!sealed || sealed.length > 4096) return undefined
  const opened = open(await keysFor(ctx, 'token'), sealed)
  const fields = opened && (decode(opened.plain) as unknown[])
  if (!Array.isArray(fields) || fields[0] !== layout) return undefined
  const [idp_id, protocol_id, origin, state, nonce, verifier, until] = fields.slice(1).map(String) as Texts
  if (idp_id !== way.idp_id || protocol_id !== way.protocol_id || ctx.clock.now() >= Number(until)) return undefined
  return { idp_id, protocol_id, origin, state, nonce, verifier }
}

/** Unpredictable, and fit for an address. */
export const unguessable = (ctx: Ctx) => ctx.ids.bytes(32).toString('base64url')

const cookieName = 'nephos_login'
const cookiePath = '/identity/v3/auth/OS-FEDERATION'

/** Kept from scripts, and from other sites as far as the login allows: those of SAML come back by a form of theirs. */
export function journeyCookie(ctx: Ctx, sealed: string, { crossSite }: { crossSite: boolean }): string {
  const isSecure = ctx.publicUrl.startsWith('https:')
  // Without HTTPS a browser takes no cookie that says None, but sends one that says nothing for two minutes.
  const site = crossSite ? (isSecure ? '; SameSite=None' : '') : '; SameSite=Lax'
  const age = sealed === '' ? 0 : patienceMs / 1000
  return `${cookieName}=${sealed}; Path=${cookiePath}; HttpOnly${site}; Max-Age=${age}${isSecure ? '; Secure' : ''}`
}

export function journeyOf(cookies: string | undefined): string | undefined {
  return new RegExp(`(?:^|; ?)${cookieName}=([\\w=-]+)`).exec(cookies ?? '')?.[1]
}
