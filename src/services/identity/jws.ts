/** JSON Web Signatures (RFC 7515) in their compact form, with ES256 alone: elliptic curve P-256 and SHA-256. */
import { createECDH, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

export interface SigningKey {
  id: string
  private: KeyObject
  public: KeyObject
}

/** The key pair of a secret: 32 unpredictable bytes. (One in four thousand million has no key, which is an error.) */
export function signingKey(id: string, secret: Buffer): SigningKey {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(secret)
  const point = curve.getPublicKey()
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map(bytes => bytes.toString('base64url'))
  const jwk = { kty: 'EC', crv: 'P-256', x: x!, y: y! }
  return {
    id,
    private: createPrivateKey({ key: { ...jwk, d: secret.toString('base64url') }, format: 'jwk' }),
    public: createPublicKey({ key: jwk, format: 'jwk' }),
  }
}

/** The public half, as others read it (RFC 7517). */
export function jwkOf(key: SigningKey) {
  return { ...key.public.export({ format: 'jwk' }), kid: key.id, use: 'sig', alg: 'ES256' }
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

export function signed(key: SigningKey, payload: object): string {
  const text = `${encoded({ alg: 'ES256', typ: 'JWT', kid: key.id })}.${encoded(payload)}`
  const signature = sign('sha256', Buffer.from(text), { key: key.private, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

/** An object from base64url that has one spelling only. */
function decoded(part: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** What one of the keys signed; undefined for anything else, whatever algorithm it names. */
export function verified(keys: readonly SigningKey[], text: string): Record<string, unknown> | undefined {
  const [head, body, tail, ...rest] = text.split('.')
  if (!head || !body || !tail || rest.length > 0) return undefined
  const header = decoded(head)
  const key = header?.alg === 'ES256' ? keys.find(one => one.id === header.kid) : undefined
  const signature = Buffer.from(tail, 'base64url')
  if (!key || signature.length !== 64 || signature.toString('base64url') !== tail) return undefined
  const isRight = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key: key.public, dsaEncoding: 'ieee-p1363' },
    signature,
  )
  return isRight ? decoded(body) : undefined
}
