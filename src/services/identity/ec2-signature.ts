/** Signatures of Amazon's APIs (versions 2 and 4), as a service that got a signed request describes it. Pure. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export interface SignedRequest {
  verb: string
  host: string
  path: string
  params: Record<string, string>
  headers: Record<string, string>
  /** Hex SHA-256 of the request's body; version 4 needs it. */
  body_hash: string
}

const hmac = (key: string | Buffer, text: string | Buffer) => createHmac('sha256', key).update(text).digest()
const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

/** Percent-encoding that leaves letters, digits and `-_.~` as they are. */
function quoted(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function canonicalQuery(params: Record<string, string>): string {
  return Object.keys(params)
    .sort()
    .map(key => `${quoted(key)}=${quoted(params[key]!)}`)
    .join('&')
}

function version2(secret: string, { verb, host, path, params }: SignedRequest): string {
  const query = canonicalQuery({ ...params, SignatureMethod: 'HmacSHA256' })
  return hmac(secret, `${verb}\n${host}\n${path}\n${query}`).toString('base64')
}

/** A member of the Authorization header, or the parameter that stands for it. */
function member({ headers, params }: SignedRequest, name: string): string | undefined {
  const header = headers.Authorization
  if (header === undefined) return params[`X-Amz-${name}`]
  return header.split(`${name}=`)[1]?.split(',')[0]
}

function canonicalHeaders(headers: Record<string, string>, signed: string): string {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase().trim(), value.trim()]))
  const lines = signed.split(';').flatMap(name => (lower.has(name) ? [`${name}:${lower.get(name)}`] : []))
  return `${lines.join('\n')}\n`
}

function signingKey(secret: string, [date, region, service]: readonly string[]): Buffer {
  const scoped = hmac(hmac(hmac(`AWS4${secret}`, date!), region!), service!)
  return hmac(scoped, 'aws4_request')
}

function version4(secret: string, request: SignedRequest): string | undefined {
  const signed = member(request, 'SignedHeaders')
  const [, ...scope] = member(request, 'Credential')?.split('/') ?? []
  const date = request.headers['X-Amz-Date'] ?? request.params['X-Amz-Date']
  if (signed === undefined || scope.length !== 4 || !scope[0] || !date?.startsWith(scope[0])) return undefined
  const canonical = [
    request.verb.toUpperCase(),
    request.path,
    request.verb.toUpperCase() === 'POST' ? '' : canonicalQuery(request.params),
    canonicalHeaders(request.headers, signed),
    signed,
    request.body_hash,
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(canonical)].join('\n')
  return hmac(signingKey(secret, scope), text).toString('hex')
}

function isVersion4({ headers, params }: SignedRequest): boolean {
  return headers.Authorization?.startsWith('AWS4-HMAC-SHA256') ?? params['X-Amz-Algorithm'] === 'AWS4-HMAC-SHA256'
}

/** What the signature of the request must be; undefined for one of another kind, or with something missing. */
export function ec2Signature(secret: string, request: SignedRequest): string | undefined {
  const version = request.params.SignatureVersion
  if (version === '2') return version2(secret, request)
  return version === undefined && isVersion4(request) ? version4(secret, request) : undefined
}

/** The signature of a text that an object store was asked to check: version 4 when it says so, the old one of S3 otherwise. */
export function s3Signature(secret: string, text: Buffer): string | undefined {
  if (!text.subarray(0, 4).equals(Buffer.from('AWS4'))) {
    return createHmac('sha1', secret).update(text).digest('base64')
  }
  const lines = text.toString('latin1').split('\n')
  const scope = lines[2]?.split('/') ?? []
  const isWhole = lines.length === 4 && lines[0] === 'AWS4-HMAC-SHA256' && scope.length === 4
  if (!isWhole || scope[3] !== 'aws4_request' || !['s3', 'iam', 'sts'].includes(scope[2]!)) return undefined
  return hmac(signingKey(secret, scope), text).toString('hex')
}

/** Whether two signatures are the same, in a time that tells nothing. */
export function sameSignature(given: string, wanted: string | undefined): boolean {
  if (wanted === undefined) return false
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
