/** A token's claims, and how they travel: msgpack inside Fernet, under 255 characters, or as a JSON Web Signature. */
import { decode, encode } from '@msgpack/msgpack'
import type { Ctx } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import { open, seal } from '../fernet.ts'
import { keysFor, signingKeys } from '../keys/key.ts'
import type { TokenScope } from '../revocations/revocation.ts'
import { readJws, writeJws } from './jws-token.ts'

export interface Claims {
  user_id: string
  methods: string[]
  scope: TokenScope
  /** Milliseconds since the epoch, as all times here. */
  expires_at: number
  issued_at: number
  /** Its own, then that of the first token of its chain. */
  audit_ids: string[]
  /** The generation of identity in which it was made. */
  generation: number
  application_credential_id?: string
  trust_id?: string
  /** An OAuth1 access token. */
  access_token_id?: string
}

const layout = 1
const longestJws = 4096
/** Only ever longer: each is a bit in the tokens that are out. */
const methodNames = [
  'password',
  'token',
  'application_credential',
  'totp',
  'ec2credential',
  'oauth1',
  'mapped',
  'openid',
  'saml2',
  'external',
]
/** How a login by an identity provider is called in tokens. */
const federatedMethods = ['mapped', 'openid', 'saml2']
const scopeTypes = ['unscoped', 'project', 'domain', 'system'] as const

/** Most ids are UUIDs in hex, or hashes of users in directories: 16 bytes instead of 33. */
function packId(id: string): Uint8Array | string {
  return /^([0-9a-f]{32}){1,2}$/.test(id) ? Buffer.from(id, 'hex') : id
}

const isNumbered = (method: string) => methodNames.includes(method)
const packOptional = (id: string | undefined) => (id === undefined ? null : packId(id))

function unpackId(packed: unknown): string {
  return packed instanceof Uint8Array ? Buffer.from(packed).toString('hex') : String(packed)
}

function pack(claims: Claims): Uint8Array {
  const { scope } = claims
  // Of methods that configuration adds, the names.
  const provided = claims.methods.filter(name => !isNumbered(name))
  return encode([
    layout,
    packId(claims.user_id),
    claims.methods.reduce((bits, name) => bits | (isNumbered(name) ? 1 << methodNames.indexOf(name) : 0), 0),
    scopeTypes.indexOf(scope.type),
    'id' in scope ? packId(scope.id) : null,
    claims.expires_at,
    claims.issued_at,
    claims.audit_ids.map(id => Buffer.from(id, 'base64url')),
    claims.generation,
    packOptional(claims.application_credential_id),
    packOptional(claims.trust_id),
    packOptional(claims.access_token_id),
    ...(provided.length > 0 ? [provided] : []),
  ])
}

function unpack(plain: Uint8Array): Claims | undefined {
  const fields = decode(plain) as unknown[]
  if (!Array.isArray(fields) || fields[0] !== layout) return undefined
  const [, user, methods, scopeType, scopeId, expires_at, issued_at, auditIds, generation, ...delegations] = fields
  // Tokens of earlier versions end sooner.
  const [application_credential_id, trust_id, access_token_id] = delegations
    .slice(0, 3)
    .map(id => (id === null ? undefined : unpackId(id)))
  const provided = (delegations[3] ?? []) as string[]
  const type = scopeTypes[Number(scopeType)] ?? 'unscoped'
  return {
    user_id: unpackId(user),
    methods: [...methodNames.filter((_, i) => Number(methods) & (1 << i)), ...provided],
    scope: type === 'project' || type === 'domain' ? { type, id: unpackId(scopeId) } : { type },
    expires_at: Number(expires_at),
    issued_at: Number(issued_at),
    audit_ids: (auditIds as Uint8Array[]).map(bytes => Buffer.from(bytes).toString('base64url')),
    generation: Number(generation),
    ...(application_credential_id !== undefined && { application_credential_id }),
    ...(trust_id !== undefined && { trust_id }),
    ...(access_token_id !== undefined && { access_token_id }),
  }
}

/** The method of a login by the protocol of an identity provider: its id when that is known, as upstream has it. */
export function federatedMethod(protocolId: string): string {
  return federatedMethods.includes(protocolId) ? protocolId : 'mapped'
}

export function isFederated({ methods }: Claims): boolean {
  return methods.some(method => federatedMethods.includes(method))
}

export function newAuditId(ctx: Ctx): string {
  return ctx.ids.bytes(16).toString('base64url')
}

function provider(ctx: Ctx): 'fernet' | 'jws' {
  return ctx.config.of(identityConfig).token_provider
}

/** Times in tokens are as fine as this many milliseconds. */
export function fineness(ctx: Ctx): number {
  return provider(ctx) === 'jws' ? 1000 : 1
}

export async function writeToken(ctx: Ctx, claims: Claims): Promise<string> {
  const noKeys = 'There are no keys for tokens: start the cloud once, or restore the table of keys.'
  if (provider(ctx) === 'jws') {
    const [primary] = await signingKeys(ctx)
    if (!primary) throw new Error(noKeys)
    return writeJws(primary, claims)
  }
  const [primary] = await keysFor(ctx, 'token')
  if (!primary) throw new Error(noKeys)
  return seal(primary, pack(claims), Math.floor(claims.issued_at / 1000), ctx.ids.bytes(16))
}

/** The claims of a token that we wrote; whether they still hold is another question. */
export async function readToken(ctx: Ctx, token: string): Promise<Claims | undefined> {
  if (token.includes('.')) return token.length > longestJws ? undefined : readJws(await signingKeys(ctx), token)
  if (token.length > 512) return undefined
  const opened = open(await keysFor(ctx, 'token'), token)
  return opened && unpack(opened.plain)
}
