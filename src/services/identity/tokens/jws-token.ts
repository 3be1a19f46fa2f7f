/** A token's claims as a JSON Web Signature, under upstream's names: whoever has the public keys can check it. */
import { type SigningKey, signed, verified } from '../jws.ts'
import type { TokenScope } from '../revocations/revocation.ts'
import type { Claims } from './token.ts'

/** Claims that are there or not, with their names outside. */
const optional = {
  application_credential_id: 'openstack_app_cred_id',
  trust_id: 'openstack_trust_id',
  access_token_id: 'openstack_access_token_id',
} as const satisfies Partial<Record<keyof Claims, string>>
const optionals = Object.entries(optional) as [keyof typeof optional, string][]

const seconds = (ms: number) => Math.floor(ms / 1000)

function scopeClaims(scope: TokenScope): object {
  if (scope.type === 'project') return { openstack_project_id: scope.id }
  if (scope.type === 'domain') return { openstack_domain_id: scope.id }
  return scope.type === 'system' ? { openstack_system: 'all' } : {}
}

function scopeOf(payload: Record<string, unknown>): TokenScope {
  if (payload.openstack_project_id !== undefined) return { type: 'project', id: String(payload.openstack_project_id) }
  if (payload.openstack_domain_id !== undefined) return { type: 'domain', id: String(payload.openstack_domain_id) }
  return { type: payload.openstack_system === 'all' ? 'system' : 'unscoped' }
}

export function writeJws(key: SigningKey, claims: Claims): string {
  return signed(key, {
    sub: claims.user_id,
    iat: seconds(claims.issued_at),
    exp: seconds(claims.expires_at),
    openstack_methods: claims.methods,
    openstack_audit_ids: claims.audit_ids,
    ...scopeClaims(claims.scope),
    ...Object.fromEntries(
      optionals.flatMap(([name, outside]) => (claims[name] === undefined ? [] : [[outside, claims[name]]])),
    ),
    nephos_generation: claims.generation,
  })
}

export function readJws(keys: readonly SigningKey[], text: string): Claims | undefined {
  const payload = verified(keys, text)
  if (typeof payload?.sub !== 'string' || typeof payload.nephos_generation !== 'number') return undefined
  return {
    user_id: payload.sub,
    methods: payload.openstack_methods as string[],
    scope: scopeOf(payload),
    expires_at: Number(payload.exp) * 1000,
    issued_at: Number(payload.iat) * 1000,
    audit_ids: payload.openstack_audit_ids as string[],
    generation: payload.nephos_generation,
    ...Object.fromEntries(
      optionals.flatMap(([name, outside]) =>
        payload[outside] === undefined ? [] : [[name, String(payload[outside])]],
      ),
    ),
  }
}
