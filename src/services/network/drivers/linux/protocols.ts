/** IP protocol names that security group rules may carry, and their numbers. */

const numbers: Record<string, number> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  icmp: 1,
  icmpv6: 58,
  igmp: 2,
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

/** The number of a rule's protocol; null for any. `icmp` means ICMPv6 in a rule for IPv6. Throws RangeError for what is no protocol. */
export function protocolNumber(protocol: string | null, ethertype: 'IPv4' | 'IPv6'): number | null {
  if (protocol === null || protocol === 'any' || protocol === '0') return null
  const number = /^\d{1,3}$/.test(protocol) ? Number(protocol) : numbers[protocol.toLowerCase()]
  if (number === undefined || number > 255) throw new RangeError(`"${protocol}" is no IP protocol`)
  return number === 1 && ethertype === 'IPv6' ? 58 : number
}
