/** Addresses as text: checked, normalized, compared. */
import ipaddr from 'ipaddr.js'

/** Address that metadata is served at. */
export const metadataV4 = '169.254.169.254'

export type IpVersion = 4 | 6

/** 4 or 6 for a plain address, undefined for anything else (zones and IPv4 shorthand included). */
export function ipVersion(text: string): IpVersion | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return 4
  if (!text.includes('%') && ipaddr.IPv6.isValid(text)) return 6
  return undefined
}

export interface Cidr {
  version: IpVersion
  /** First address of the range. */
  network: string
  /** The address as it was given, normalized. */
  address: string
  prefix: number
}

/** Texts that were read already: every change of the desired state brings the same thousands again. */
const known = new Map<string, Cidr | undefined>()
const knownLimit = 50_000

/** Reads `10.0.0.5/24`; a plain address is a range of one. Undefined for what is neither. */
export function parseCidr(text: string): Cidr | undefined {
  if (known.has(text)) return known.get(text)
  if (known.size >= knownLimit) known.clear()
  const range = readCidr(text)
  known.set(text, range && Object.freeze(range))
  return range
}

function readCidr(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const version = ipVersion(address)
  if (!version || rest.length > 0) return undefined
  const bits = version === 4 ? 32 : 128
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
  const prefix = length === undefined ? bits : Number(length)
  if (prefix > bits) return undefined
  const network = (version === 4 ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(`${address}/${prefix}`)
  return { version, network: network.toString(), address: ipaddr.parse(address).toString(), prefix }
}

/** `10.0.0.5/24` to `10.0.0.0/24`, a single address without its length. All addresses become two halves, as interval sets need. */
export function rangeTexts(cidr: Cidr): string[] {
  if (cidr.prefix === 0) return cidr.version === 4 ? ['0.0.0.0/1', '128.0.0.0/1'] : ['::/1', '8000::/1']
  return [isSingle(cidr) ? cidr.network : `${cidr.network}/${cidr.prefix}`]
}

export function isSingle(cidr: Cidr): boolean {
  return cidr.prefix === (cidr.version === 4 ? 32 : 128)
}

/** Whether `inner` lies within `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  if (outer.version !== inner.version || outer.prefix > inner.prefix) return false
  return ipaddr.parse(inner.network).match(ipaddr.parse(outer.network), outer.prefix)
}

/** The ranges without those that another one covers, so that an interval set takes them all. */
export function withoutOverlaps(ranges: Cidr[]): Cidr[] {
  const sorted = [...ranges].sort((a, b) => a.prefix - b.prefix)
  const kept: Cidr[] = []
  for (const range of sorted) if (!kept.some(other => contains(other, range))) kept.push(range)
  return kept
}

/** The one way to write an address that was checked before. Throws for anything else. */
export function normalIp(text: string): string {
  const range = parseCidr(text)
  if (!range || !isSingle(range)) throw new RangeError(`"${text}" is no address`)
  return range.address
}

export function isMac(text: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text)
}

/** The link-local address that a guest forms from its MAC (EUI-64). */
export function linkLocal(mac: string): string {
  const b = mac.split(':').map(part => Number.parseInt(part, 16))
  b[0] = b[0]! ^ 2
  const bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, b[0]!, b[1]!, b[2]!, 0xff, 0xfe, b[3]!, b[4]!, b[5]!]
  return ipaddr.fromByteArray(bytes).toString()
}

/** An IPv6 address as one number for a raw payload match, `0xfe80…`. */
export function hexOfIpv6(text: string): string {
  return `0x${ipaddr
    .parse(text)
    .toByteArray()
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join('')}`
}
