/** OAuth 1.0 (RFC 5849): the Authorization header and the signature of a request. Pure. */
import { createHmac } from 'node:crypto'

const quoted = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

function unquoted(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The members of an `Authorization: OAuth …` header; undefined when it is none. */
export function oauthHeader(header: string | undefined): Record<string, string> | undefined {
  if (header === undefined || !/^OAuth\s/i.test(header)) return undefined
  const found: Record<string, string> = {}
  for (const part of header.slice(6).split(',')) {
    const [, name, value] = /^\s*([^=\s]+)="([^"]*)"\s*$/.exec(part) ?? []
    const text = value === undefined ? undefined : unquoted(value)
    if (name !== undefined && text !== undefined) found[unquoted(name) ?? name] = text
  }
  return found
}

const hashes: Record<string, string> = { 'HMAC-SHA1': 'sha1', 'HMAC-SHA256': 'sha256' }

export interface OauthRequest {
  method: string
  /** Scheme, host, path and query, as the client has them. */
  url: string
  /** Those of the header. */
  params: Record<string, string>
}

/** What the signature must be with the secrets of the consumer and of the token; undefined for an unknown method. */
export function oauthSignature(
  { method, url, params }: OauthRequest,
  consumerSecret: string,
  tokenSecret: string,
): string | undefined {
  const hash = hashes[params.oauth_signature_method ?? '']
  if (!hash) return undefined
  const { protocol, host, pathname, searchParams } = new URL(url)
  const pairs = [...searchParams, ...Object.entries(params)]
    .filter(([name]) => name !== 'oauth_signature' && name !== 'realm')
    .map(([name, value]) => `${quoted(name)}=${quoted(value)}`)
    .sort()
  const text = [method.toUpperCase(), `${protocol}//${host}${pathname}`, pairs.join('&')].map(quoted).join('&')
  return createHmac(hash, `${quoted(consumerSecret)}&${quoted(tokenSecret)}`)
    .update(text)
    .digest('base64')
}
