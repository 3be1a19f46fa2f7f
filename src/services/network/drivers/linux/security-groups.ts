/**
 * Security groups and anti-spoofing as nftables text. One chain a group and direction, three thin chains a port, dispatch by interface
 * name, a set for each group that is a rule's remote. A packet's connection state arrives as its mark: 1 established or related, 2 invalid.
 */
import type { HostNetworkState, NetworkSpec, PortSpec, RuleSpec, SecurityGroupSpec } from '../driver.ts'
import { hexOfIpv6, isSingle, linkLocal, parseCidr, rangeTexts, withoutOverlaps } from './addresses.ts'
import { bridgeName, dhcpOuter, externalOuter, routerOuter, tapName } from './names.ts'
import type { NftChain, NftSet, Ruleset } from './nft.ts'
import { protocolNumber } from './protocols.ts'

/** Who tracks connections of bridged packets: br_netfilter in the inet hooks, or the bridge family itself. */
export type Tracking = 'br_netfilter' | 'bridge'

/** A conntrack zone a network: its segment where that fits into 16 bits, the next free number otherwise. */
export function zonesOf(networks: readonly NetworkSpec[]): Map<string, number> {
  const zones = new Map<string, number>()
  const taken = new Set<number>()
  for (const network of [...networks].sort((a, b) => a.segment - b.segment)) {
    let zone = ((Math.max(network.segment, 1) - 1) % 65535) + 1
    while (taken.has(zone)) zone = (zone % 65535) + 1
    taken.add(zone)
    zones.set(network.id, zone)
  }
  return zones
}

/** Sorts packets into their network's zone and writes the connection's state into the mark. */
export function trackingRuleset(state: HostNetworkState, tracking: Tracking): Ruleset {
  const zones = zonesOf(state.networks)
  const elements = new Set<string>()
  const add = (device: string, networkId: string) => elements.add(`"${device}" : ${zones.get(networkId)}`)
  if (tracking === 'br_netfilter') for (const network of state.networks) add(bridgeName(network.id), network.id)
  else for (const [device, networkId] of bridgePorts(state)) add(device, networkId)
  const devices = new Set([...elements].map(element => element.split(' ')[0]!))
  return {
    family: tracking === 'br_netfilter' ? 'inet' : 'bridge',
    table: 'tracking',
    sets: new Map<string, NftSet>([
      ['bridged', { kind: 'set', spec: 'type ifname;', elements: devices }],
      ['zone-of', { kind: 'map', spec: 'typeof iifname : ct zone;', elements }],
    ]),
    chains: new Map<string, NftChain>([
      [
        'zone',
        {
          hook: 'type filter hook prerouting priority -300; policy accept;',
          rules: ['iifname @bridged ct zone set iifname map @zone-of'],
        },
      ],
      [
        'state',
        {
          hook: 'type filter hook prerouting priority -150; policy accept;',
          rules: [
            'iifname @bridged meta mark set ct state map { invalid : 2, new : 4, established : 1, related : 1, untracked : 8 }',
          ],
        },
      ],
    ]),
  }
}

function bridgePorts(state: HostNetworkState): [string, string][] {
  const ports: [string, string][] = state.ports.map(port => [tapName(port.id), port.network_id])
  for (const { id, dhcp_port, physical_network } of state.networks) {
    if (dhcp_port) ports.push([dhcpOuter(dhcp_port.id), id])
    if (physical_network !== undefined) ports.push([externalOuter(physical_network), id])
  }
  for (const { interfaces, gateway } of state.routers) {
    for (const port of gateway ? [...interfaces, gateway] : interfaces) {
      ports.push([routerOuter(port.port_id), port.network_id])
    }
  }
  return ports
}

/** The filter of every guest's port on this host. What no rule names is dropped, unknown taps included. */
export function filterRuleset(state: HostNetworkState): Ruleset {
  const groups = new Map(state.security_groups.map(group => [group.id, group]))
  const used = new Set(state.ports.flatMap(port => (port.port_security ? port.security_groups : [])))
  const sets = new Map<string, NftSet>()
  const chains = new Map<string, NftChain>()
  const dispatch = { spoof: new Set<string>(), egress: new Set<string>(), ingress: new Set<string>() }
  for (const id of used) {
    const group = groups.get(id)
    if (group) addGroup(group, groups, chains, sets)
  }
  for (const port of state.ports) {
    const tap = tapName(port.id)
    if (!port.port_security) {
      for (const elements of Object.values(dispatch)) elements.add(`"${tap}" : accept`)
      continue
    }
    const own = port.security_groups.flatMap(id => groups.get(id) ?? [])
    chains.set(`spoof-${tap}`, { rules: spoofRules(port) })
    chains.set(`egress-${tap}`, { rules: egressRules(own) })
    chains.set(`ingress-${tap}`, { rules: ingressRules(own) })
    for (const [name, elements] of Object.entries(dispatch)) elements.add(`"${tap}" : jump ${name}-${tap}`)
  }
  for (const [name, elements] of Object.entries(dispatch)) {
    sets.set(name, { kind: 'map', spec: 'type ifname : verdict;', elements })
  }
  const base = (hook: string, device: string, map: string): NftChain => ({
    hook: `type filter hook ${hook}; policy accept;`,
    rules: [`${device} vmap @${map}`, `${device} "tap*" drop`],
  })
  chains.set('from-guest', base('prerouting priority -310', 'iifname', 'spoof'))
  // Two chains at one hook: `accept` in the sender's still leaves the packet to the receiver's.
  chains.set('sender', base('forward priority 10', 'iifname', 'egress'))
  chains.set('receiver', base('forward priority 20', 'oifname', 'ingress'))
  return { family: 'bridge', table: 'filter', sets, chains }
}

const neighbourDiscovery = 'nd-neighbor-solicit, nd-neighbor-advert'
const listenerReports = 'mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report'

/** Whose frames a port may send: its own MAC and addresses and its allowed pairs; never as a DHCP server or a router. */
function spoofRules(port: PortSpec): string[] {
  const allowed = [
    ...port.ips.map(ip => ({ ip: ip.ip_address, mac: port.mac })),
    ...port.allowed_address_pairs.map(pair => ({ ip: pair.ip_address, mac: pair.mac_address ?? port.mac })),
  ].flatMap(({ ip, mac }) => {
    const range = parseCidr(ip)
    return range ? [{ mac, range }] : []
  })
  const macs = [...new Set([port.mac, ...allowed.map(entry => entry.mac)])]
  const pairs = (version: 4 | 6) => {
    const byMac = macs.map(mac => {
      const ranges = allowed.filter(entry => entry.mac === mac && entry.range.version === version).map(e => e.range)
      const own = version === 6 ? [parseCidr(linkLocal(mac))!] : []
      return withoutOverlaps([...ranges, ...own])
        .flatMap(rangeTexts)
        .map(range => `${mac} . ${range}`)
    })
    return byMac.flat()
  }
  const v4 = pairs(4)
  const v6 = pairs(6)
  // Targets of a neighbour advertisement are matched as numbers: ranges of pairs are left to the source check.
  const targets = [...new Set(v6.map(pair => pair.split(' . ')[1]!).filter(address => !address.includes('/')))]
  const anyRange = v6.some(pair => pair.includes('/'))
  return [
    `ether saddr != { ${macs.join(', ')} } drop`,
    'ether type != { ip, arp, ip6 } drop',
    `ether type arp arp saddr ether != { ${macs.join(', ')} } drop`,
    'ether type arp arp saddr ip 0.0.0.0 accept',
    v4.length > 0
      ? `ether type arp arp saddr ether . arp saddr ip != { ${v4.join(', ')} } drop`
      : 'ether type arp drop',
    'udp sport 67 udp dport 68 drop',
    'udp sport 547 udp dport 546 drop',
    'icmpv6 type { nd-router-advert, nd-redirect } drop',
    'ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept',
    v4.length > 0 ? `ether saddr . ip saddr != { ${v4.join(', ')} } drop` : 'ether type ip drop',
    ...(anyRange ? [] : [`icmpv6 type nd-neighbor-advert @th,64,128 != { ${targets.map(hexOfIpv6).join(', ')} } drop`]),
    'ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld2-listener-report } accept',
    `ether saddr . ip6 saddr != { ${v6.join(', ')} } drop`,
    'accept',
  ]
}

/** Replies pass by the connection's state, unless the port's groups are stateless. */
function stateRules(groups: SecurityGroupSpec[]): string[] {
  const stateless = groups.length > 0 && groups.every(group => !group.stateful)
  return stateless ? [] : ['meta mark 1 accept', 'meta mark 2 drop']
}

function egressRules(groups: SecurityGroupSpec[]): string[] {
  return [
    'ether type arp accept',
    ...stateRules(groups),
    'udp sport 68 udp dport 67 accept',
    'udp sport 546 udp dport 547 accept',
    `icmpv6 type { nd-router-solicit, ${neighbourDiscovery}, ${listenerReports} } accept`,
    ...groups.map(group => `jump egress-${group.id}`),
    'drop',
  ]
}

function ingressRules(groups: SecurityGroupSpec[]): string[] {
  return [
    'ether type arp accept',
    ...stateRules(groups),
    'udp sport 67 udp dport 68 accept',
    'udp sport 547 udp dport 546 accept',
    `icmpv6 type { nd-router-advert, ${neighbourDiscovery}, ${listenerReports} } accept`,
    ...groups.map(group => `jump ingress-${group.id}`),
    'drop',
  ]
}

function addGroup(
  group: SecurityGroupSpec,
  groups: ReadonlyMap<string, SecurityGroupSpec>,
  chains: Map<string, NftChain>,
  sets: Map<string, NftSet>,
): void {
  for (const direction of ['egress', 'ingress'] as const) {
    const rules = group.rules.filter(rule => rule.direction === direction)
    chains.set(`${direction}-${group.id}`, {
      rules: [...new Set(rules.flatMap(rule => ruleTexts(rule, sets, groups)))],
    })
  }
}

/** One rule as zero or more lines; a remote group needs a line for its addresses and one for its ranges. */
function ruleTexts(
  rule: RuleSpec,
  sets: Map<string, NftSet>,
  groups: ReadonlyMap<string, SecurityGroupSpec>,
): string[] {
  const version = rule.ethertype === 'IPv4' ? 4 : 6
  const family = version === 4 ? 'ip' : 'ip6'
  const end = rule.direction === 'ingress' ? 'saddr' : 'daddr'
  const protocol = protocolText(rule)
  const line = (remote: string) => [`ether type ${family}`, remote, protocol, 'accept'].filter(Boolean).join(' ')
  if (rule.remote_group_id !== null) {
    const names = remoteSets(rule.remote_group_id, version, sets, groups)
    return names.map(name => line(`${family} ${end} @${name}`))
  }
  const prefix = rule.remote_ip_prefix === null ? undefined : parseCidr(rule.remote_ip_prefix)
  if (prefix && prefix.version !== version) return []
  return [line(prefix && prefix.prefix > 0 ? `${family} ${end} ${rangeTexts(prefix)[0]}` : '')]
}

function remoteSets(
  id: string,
  version: 4 | 6,
  sets: Map<string, NftSet>,
  groups: ReadonlyMap<string, SecurityGroupSpec>,
): string[] {
  const members = (groups.get(id)?.members ?? []).flatMap(text => parseCidr(text) ?? [])
  const mine = members.filter(member => member.version === version)
  const type = version === 4 ? 'ipv4_addr' : 'ipv6_addr'
  const addresses = `members-${id}-v${version}`
  const ranges = `ranges-${id}-v${version}`
  sets.set(addresses, {
    kind: 'set',
    spec: `type ${type};`,
    elements: new Set(mine.filter(isSingle).map(member => member.network)),
  })
  const wide = mine.filter(member => !isSingle(member))
  if (wide.length === 0) return [addresses]
  const elements = new Set(withoutOverlaps(wide).flatMap(rangeTexts))
  sets.set(ranges, { kind: 'set', spec: `type ${type}; flags interval;`, elements })
  return [addresses, ranges]
}

function protocolText(rule: RuleSpec): string {
  const number = protocolNumber(rule.protocol, rule.ethertype)
  if (number === null) return ''
  const { port_range_min: min, port_range_max: max } = rule
  if (number === 1 || number === 58) {
    const name = number === 1 ? 'icmp' : 'icmpv6'
    const type = min === null ? `meta l4proto ${number}` : `${name} type ${min}`
    return max === null || min === null ? type : `${type} ${name} code ${max}`
  }
  const name = { 6: 'tcp', 17: 'udp', 33: 'dccp', 132: 'sctp', 136: 'udplite' }[number]
  if (!name || (min === null && max === null)) return `meta l4proto ${number}`
  const [low, high] = [min ?? 0, max ?? 65535]
  return `${name} dport ${low === high ? low : `${low}-${high}`}`
}
