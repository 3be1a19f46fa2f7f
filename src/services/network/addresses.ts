/** Arithmetic with addresses and ranges of both families: an address is a version and a whole number. Pure. */
import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

export type IpVersion = 4 | 6

export interface Address {
  version: IpVersion
  value: bigint
}

/** The addresses from `first` to `last`, both included. */
export interface Range {
  version: IpVersion
  first: bigint
  last: bigint
}

export interface Cidr extends Range {
  prefix: number
}

const width = (version: IpVersion) => (version === 4 ? 32 : 128)

/** Undefined for what is no address; zones and short forms of IPv4 are none. */
export function parseAddress(text: string): Address | undefined {
  if (!isIPv4(text) && (!isIPv6(text) || text.includes('%'))) return undefined
  const bytes = ipaddr.parse(text).toByteArray()
  return {
    version: bytes.length === 4 ? 4 : 6,
    value: bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
  }
}

/** The address as text, IPv6 in its shortest form. */
export function formatAddress(version: IpVersion, value: bigint): string {
  const bytes = Array.from({ length: width(version) / 8 }, (_, i) =>
    Number((value >> BigInt(width(version) - 8 - 8 * i)) & 255n),
  )
  const address = ipaddr.fromByteArray(bytes)
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()
}

/** The same address written the one way in which it is stored; undefined for what is no address. */
export function normalAddress(text: string): string | undefined {
  const address = parseAddress(text)
  return address && formatAddress(address.version, address.value)
}

/** Undefined for what is no `address/length`. Bits beyond the length are dropped. */
export function parseCidr(text: string): Cidr | undefined {
  const [host, length, ...rest] = text.split('/')
  const address = parseAddress(host!)
  if (!address || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  const bits = width(address.version)
  const prefix = length === undefined ? bits : Number(length)
  if (prefix > bits) return undefined
  const size = 1n << BigInt(bits - prefix)
  const first = (address.value / size) * size
  return { version: address.version, prefix, first, last: first + size - 1n }
}

export const formatCidr = (cidr: Cidr) => `${formatAddress(cidr.version, cidr.first)}/${cidr.prefix}`

/** The range as text with bits beyond the length dropped; undefined for what is none. */
export function normalCidr(text: string): string | undefined {
  const cidr = parseCidr(text)
  return cidr && formatCidr(cidr)
}

export const contains = (range: Range, address: Address) =>
  range.version === address.version && range.first <= address.value && address.value <= range.last

export const overlaps = (a: Range, b: Range) => a.version === b.version && a.first <= b.last && b.first <= a.last

export function parseRange(pool: { start: string; end: string }): Range | undefined {
  const start = parseAddress(pool.start)
  const end = parseAddress(pool.end)
  if (!start || !end || start.version !== end.version) return undefined
  return { version: start.version, first: start.value, last: end.value }
}

export const formatRange = (range: Range) => ({
  start: formatAddress(range.version, range.first),
  end: formatAddress(range.version, range.last),
})

/** The addresses of a subnet that hosts may have: without the network's own and, for IPv4, the broadcast address. */
export function usable(cidr: Cidr): Range {
  const { version, prefix, first, last } = cidr
  if (prefix >= width(version) - 1) return { version, first, last }
  return { version, first: first + 1n, last: version === 4 ? last - 1n : last }
}

/** A range without one address: none, one or two ranges. */
export function without(range: Range, value: bigint | undefined): Range[] {
  if (value === undefined || value < range.first || value > range.last) return [range]
  const parts: Range[] = [
    { ...range, last: value - 1n },
    { ...range, first: value + 1n },
  ]
  return parts.filter(part => part.first <= part.last)
}

export const sizeOf = (range: Range) => range.last - range.first + 1n

/** The address that a host with this MAC forms for itself in a range of /64 (EUI-64). */
export function eui64(cidr: Cidr, mac: string): string {
  return formatAddress(6, (cidr.first & ~((1n << 64n) - 1n)) | interfaceId(mac))
}

function interfaceId(mac: string): bigint {
  const bytes = mac.split(':').map(part => Number.parseInt(part, 16))
  const eui = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!]
  return eui.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

/** The MAC behind a link-local IPv6 address that was formed of one; undefined for any other address. */
export function macOfLinkLocal(text: string): string | undefined {
  const address = parseAddress(text)
  if (address?.version !== 6 || address.value >> 64n !== 0xfe80000000000000n) return undefined
  const bytes = Array.from({ length: 8 }, (_, i) => Number((address.value >> BigInt(56 - 8 * i)) & 255n))
  if (bytes[3] !== 0xff || bytes[4] !== 0xfe) return undefined
  const mac = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, bytes[5]!, bytes[6]!, bytes[7]!]
  return mac.map(byte => byte.toString(16).padStart(2, '0')).join(':')
}
