/** Asks web servers that users name, without being led to where only the cloud itself may go. */
import { lookup as resolve } from 'node:dns'
import type { IncomingMessage } from 'node:http'
import { request as secureRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

const { request: plainRequest } = process.getBuiltinModule('node:http')

/** An address that is not to be asked. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed'
}

/** Which addresses may be asked. */
export interface Outside {
  schemes: readonly string[]
  /** None: all. */
  ports: readonly number[]
  /** The only hosts; none: all but those refused. */
  hosts?: readonly string[]
  refusedHosts?: readonly string[]
  /** Networks beside the Internet: local addresses are refused otherwise. */
  networks: readonly string[]
}

const maxRedirects = 5
const silentMilliseconds = 60_000

export interface Opened {
  status: number
  headers: IncomingMessage['headers']
  /** To be destroyed by who does not read it to its end. */
  body: IncomingMessage
}

export interface OpenOptions {
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
  /** False for addresses that an administrator has chosen. */
  guarded?: boolean
}

/** The parts of an address that may be asked, as far as can be told without asking its name server. Throws `NotAllowed`. */
export function allowedUrl(outside: Outside, text: string): URL {
  const { schemes, ports, hosts = [], refusedHosts = [] } = outside
  const url = URL.canParse(text) ? new URL(text) : undefined
  const refused = () => new NotAllowed(`the address does not pass filtering: ${text}`)
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw refused()
  const host = url.hostname.replace(/\.+$/, '')
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  if (!schemes.includes(url.protocol.slice(0, -1)) || host === '') throw refused()
  if (ports.length > 0 && !ports.includes(port)) throw refused()
  if (hosts.length > 0 ? !hosts.includes(host) : refusedHosts.includes(host)) throw refused()
  const literal = host.replace(/^\[|\]$/g, '')
  if (isIP(literal) && !allowedAddress(outside, literal)) throw refused()
  return url
}

/** All of IPv6 that is given out to the Internet's networks: what is beside it may lead back to the cloud's own. */
const global6 = ipaddr.IPv6.parseCIDR('2000::/3')

/** Whether the address is one of the Internet's, or of a network that is opened. */
export function allowedAddress({ networks }: Outside, text: string): boolean {
  const address = ipaddr.process(text)
  const public6 = !(address instanceof ipaddr.IPv6) || address.match(global6)
  if (public6 && address.range() === 'unicast') return true
  return networks.some(network => {
    const [base, length] = ipaddr.parseCIDR(network)
    return base.kind() === address.kind() && address.match(base, length)
  })
}

/** Resolves names and gives only addresses that may be connected to: the connection is made to what was checked. */
const guardedLookup =
  (outside: Outside): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0)
      const wrong = found.find(({ address }) => !allowedAddress(outside, address))
      if (wrong || !found[0])
        return callback(new NotAllowed(`${hostname} is at an address that may not be asked`), '', 0)
      if (options.all) return callback(null, found)
      callback(null, found[0].address, found[0].family)
    })
  }

/** Opens an address, following redirects to where one may go. Throws `NotAllowed`, or the connection's own error. */
export async function openUrl(outside: Outside, text: string, options: OpenOptions = {}): Promise<Opened> {
  const guarded = options.guarded ?? true
  let url = guarded ? allowedUrl(outside, text) : new URL(text)
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await ask(outside, url, { ...options, guarded })
    const { statusCode: status = 0, headers } = response
    if (![301, 302, 303, 307, 308].includes(status) || !headers.location) return { status, headers, body: response }
    response.destroy()
    const next = new URL(headers.location, url).href
    // Elsewhere nobody has chosen where it leads: it is guarded again, and told no secret.
    url = allowedUrl(outside, next)
    options = { ...(options.signal && { signal: options.signal }), guarded: true }
  }
  throw new NotAllowed(`more than ${maxRedirects} redirects from ${text}`)
}

export interface Post {
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body: string
  signal: AbortSignal
  /** Of the answer; the rest is not read. */
  maxBytes: number
}

/** One request to where one may go; redirects are not followed. */
export async function sendTo(outside: Outside, text: string, post: Post): Promise<{ status: number; text: string }> {
  const response = await ask(outside, allowedUrl(outside, text), { ...post, guarded: true })
  const pieces: Buffer[] = []
  let size = 0
  try {
    for await (const piece of response) {
      pieces.push(piece)
      size += piece.length
      if (size >= post.maxBytes) break
    }
  } finally {
    response.destroy()
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).subarray(0, post.maxBytes).toString() }
}

type Asking = OpenOptions & Partial<Pick<Post, 'method' | 'body'>>

function ask(outside: Outside, url: URL, { headers, signal, guarded, method, body }: Asking): Promise<IncomingMessage> {
  return new Promise((done, failed) => {
    const send = url.protocol === 'https:' ? secureRequest : plainRequest
    const request = send(
      url,
      {
        agent: false,
        timeout: silentMilliseconds,
        headers: { 'accept-encoding': 'identity', 'user-agent': 'nephos', ...headers },
        ...(method && { method }),
        ...(signal && { signal }),
        ...(guarded && { lookup: guardedLookup(outside) }),
      },
      done,
    )
    request.on('timeout', () => request.destroy(new Error(`${url.host} was silent for too long`)))
    request.on('error', failed)
    request.end(body)
  })
}
