/** Protocols of security group rules: names, numbers, and which of them have ports. */
import { BadRequest } from '#kernel/errors.ts'

const numbers: Record<string, number> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  hopopt: 0,
  icmp: 1,
  icmpv6: 58,
  igmp: 2,
  ip: 0,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
}

export const protocolsWithPorts = ['tcp', 'udp', 'sctp', 'dccp', 'udplite']
const portNumbers = new Set(protocolsWithPorts.map(name => numbers[name]))

export const onlyIpv6 = new Set([
  'icmpv6',
  'ipv6-encap',
  'ipv6-frag',
  'ipv6-icmp',
  'ipv6-nonxt',
  'ipv6-opts',
  'ipv6-route',
])

/** A protocol as it is stored: a name in small letters, a number as text, or null for any. */
export function readProtocol(value: unknown): string | null {
  if (value === null || value === 'any' || value === '-1' || value === -1) return null
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string') {
    if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return text
    if (Object.hasOwn(numbers, text.toLowerCase())) return text.toLowerCase()
  }
  const known = [null, 'any', ...Object.keys(numbers)].map(name => (name === null ? 'None' : `'${name}'`)).join(', ')
  throw new BadRequest(
    `Security group rule protocol ${String(text).slice(0, 255)} not supported. Only protocol values [${known}] and integer representations [0 to 255] are supported.`,
    { type: 'SecurityGroupRuleInvalidProtocol' },
  )
}

/** The number of a stored protocol; `icmp` of IPv6 is ICMPv6. */
export function numberOf(protocol: string, ethertype: 'IPv4' | 'IPv6'): number {
  const number = numbers[protocol] ?? Number(protocol)
  return number === 1 && ethertype === 'IPv6' ? 58 : number
}

export const hasPorts = (number: number) => portNumbers.has(number)
export const isIcmp = (number: number) => number === 1 || number === 58
