/** Live connections: read from conntrack, judged against what is allowed now, and cut when they are not. Pure but for the two commands. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostNetworkState, NetworkSpec, PortSpec, RouterSpec, RuleSpec, SecurityGroupSpec } from '../driver.ts'
import { type Cidr, contains, normalIp, parseCidr } from './addresses.ts'
import { runIn } from './exec.ts'
import { protocolNumber } from './protocols.ts'
import { zonesOf } from './security-groups.ts'

export interface Flow {
  zone: number
  protocol: number
  /** First packet's addresses, and those of the answer. */
  source: string
  destination: string
  replySource: string
  replyDestination: string
  /** Ports, or an ICMP message's type and code. */
  destinationPort: number | undefined
  icmpType: number | undefined
  icmpCode: number | undefined
  /** The flow as `conntrack --load-file` deletes it. */
  deletion: string
}

const names: Record<string, number> = {
  tcp: 6,
  udp: 17,
  icmp: 1,
  icmpv6: 58,
  sctp: 132,
  dccp: 33,
  gre: 47,
  udplite: 136,
}
/** Options of a saved flow that say how it is, not which it is. */
const changing = new Set(['-t', '-u', '--state', '-m', '-c', '-l'])

/** Reads one line of `conntrack -L -o save`. */
export function parseFlow(line: string): Flow | undefined {
  const words = line.trim().split(/\s+/)
  if (words[0] !== '-A') return undefined
  const options = new Map<string, string>()
  for (let i = 1; i + 1 < words.length; i += 2) options.set(words[i]!, words[i + 1]!)
  const [source, destination] = [options.get('-s'), options.get('-d')]
  // A translated end is written as what it is translated to.
  const replySource = options.get('-r') ?? options.get('-g')
  const replyDestination = options.get('-q') ?? options.get('-n')
  const protocol = options.get('-p') ?? ''
  if (!source || !destination || !replySource || !replyDestination) return undefined
  const number = (key: string) => (options.has(key) ? Number(options.get(key)) : undefined)
  return {
    zone: number('-w') ?? 0,
    protocol: names[protocol] ?? Number(protocol),
    source: normalIp(source),
    destination: normalIp(destination),
    replySource: normalIp(replySource),
    replyDestination: normalIp(replyDestination),
    destinationPort: number('--dport'),
    icmpType: number('--icmp-type') ?? number('--icmpv6-type'),
    icmpCode: number('--icmp-code') ?? number('--icmpv6-code'),
    deletion: `-D ${[...options]
      .filter(([key]) => !changing.has(key))
      .map(pair => pair.join(' '))
      .join(' ')}`,
  }
}

export async function readFlows(netns: string): Promise<Flow[]> {
  const outcome = await runIn(netns, 'conntrack', ['-L', '-o', 'save'])
  return outcome.stdout.split('\n').flatMap(line => parseFlow(line) ?? [])
}

/** Deletes flows; `dir` holds the list for a moment, because conntrack takes it from a file only. */
export async function cutFlows(netns: string, flows: readonly Flow[], dir: string): Promise<void> {
  if (flows.length === 0) return
  const folder = join(dir, 'conntrack')
  const file = join(folder, netns)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(file, `${flows.map(flow => flow.deletion).join('\n')}\n`, { mode: 0o600 })
  await runIn(netns, 'conntrack', ['-R', file])
  await rm(file, { force: true })
}

/** Which of the data-plane namespace's flows the desired state does not allow (any more). */
export function revoked(state: HostNetworkState, flows: readonly Flow[]): Flow[] {
  const zones = zonesOf(state.networks)
  const byZone = new Map(state.networks.map(network => [zones.get(network.id)!, judge(state, network)]))
  return flows.filter(flow => byZone.get(flow.zone)?.(flow) === false)
}

function judge(state: HostNetworkState, network: NetworkSpec): (flow: Flow) => boolean {
  const groups = new Map(state.security_groups.map(group => [group.id, group]))
  const ports = state.ports.filter(port => port.network_id === network.id)
  const owner = new Map(ports.flatMap(port => addressesOf(port).map(ip => [ip, port] as const)))
  const gone = departed(state, network, ports)
  return flow => {
    if (gone(flow.source) || gone(flow.destination)) return false
    const sender = owner.get(flow.source)
    const receiver = owner.get(flow.destination)
    if (sender && !permits(sender, groups, 'egress', flow, flow.destination)) return false
    return !receiver || permits(receiver, groups, 'ingress', flow, flow.source)
  }
}

function addressesOf(port: PortSpec): string[] {
  return [...port.ips, ...port.allowed_address_pairs].flatMap(({ ip_address }) => {
    const range = parseCidr(ip_address)
    return range ? [range.network] : []
  })
}

/** Whether an address of the network's own range belongs to no port any more, so that its next holder must not inherit its flows. */
function departed(state: HostNetworkState, network: NetworkSpec, ports: PortSpec[]): (ip: string) => boolean {
  // Beyond a physical network live hosts that nobody told us of.
  if (network.physical_network !== undefined) return () => false
  const ranges = network.subnets.flatMap(subnet => parseCidr(subnet.cidr) ?? [])
  const routerPorts = state.routers.flatMap(({ interfaces, gateway }) =>
    gateway ? [...interfaces, gateway] : interfaces,
  )
  const texts = [
    ...ports.flatMap(port => [...port.ips, ...port.allowed_address_pairs].map(ip => ip.ip_address)),
    ...[...network.leases, ...(network.dhcp_port ? [network.dhcp_port] : [])].flatMap(l =>
      l.ips.map(i => i.ip_address),
    ),
    ...routerPorts.flatMap(port => (port.network_id === network.id ? port.addresses : [])).map(a => a.split('/')[0]!),
    ...network.subnets.flatMap(subnet => subnet.gateway_ip ?? []),
  ]
  const live = texts.flatMap(text => parseCidr(text) ?? [])
  const single = new Set(live.map(range => range.network))
  const wide = live.filter(range => range.prefix < (range.version === 4 ? 32 : 128))
  return ip => {
    if (single.has(ip)) return false
    const address = parseCidr(ip)!
    return ranges.some(range => contains(range, address)) && !wide.some(range => contains(range, address))
  }
}

function permits(
  port: PortSpec,
  groups: ReadonlyMap<string, SecurityGroupSpec>,
  direction: 'ingress' | 'egress',
  flow: Flow,
  remote: string,
): boolean {
  if (!port.port_security || isDhcp(flow)) return true
  const address = parseCidr(remote)!
  const own = port.security_groups.flatMap(id => groups.get(id) ?? [])
  return own.some(group =>
    group.rules.some(rule => rule.direction === direction && matches(rule, groups, flow, address)),
  )
}

function isDhcp(flow: Flow): boolean {
  return flow.protocol === 17 && [67, 68, 546, 547].includes(flow.destinationPort ?? 0)
}

function matches(rule: RuleSpec, groups: ReadonlyMap<string, SecurityGroupSpec>, flow: Flow, remote: Cidr): boolean {
  if (remote.version !== (rule.ethertype === 'IPv4' ? 4 : 6)) return false
  const protocol = protocolNumber(rule.protocol, rule.ethertype)
  if (protocol !== null && protocol !== flow.protocol) return false
  const { port_range_min: min, port_range_max: max } = rule
  if (protocol === 1 || protocol === 58) {
    if (min !== null && flow.icmpType !== min) return false
    if (min !== null && max !== null && flow.icmpCode !== max) return false
  } else if (protocol !== null && flow.destinationPort !== undefined) {
    if (flow.destinationPort < (min ?? 0) || flow.destinationPort > (max ?? 65535)) return false
  }
  const within = (text: string) => {
    const range = parseCidr(text)
    return range !== undefined && contains(range, remote)
  }
  if (rule.remote_group_id !== null) return (groups.get(rule.remote_group_id)?.members ?? []).some(within)
  return rule.remote_ip_prefix === null || within(rule.remote_ip_prefix)
}

/** Which of a router's translated flows no longer follow its floating IPs and source address. */
export function mistranslated(router: RouterSpec, flows: readonly Flow[]): Flow[] {
  const toFixed = new Map(router.floating_ips.map(ip => [normalIp(ip.floating_ip), normalIp(ip.fixed_ip)]))
  const toFloating = new Map([...toFixed].map(([floating, fixed]) => [fixed, floating]))
  const gateway = router.gateway?.enable_snat ? router.gateway.addresses.map(text => parseCidr(text)?.address) : []
  return flows.filter(flow => {
    if (flow.replySource !== flow.destination && toFixed.get(flow.destination) !== flow.replySource) return true
    if (flow.replyDestination === flow.source) return false
    return toFloating.get(flow.source) !== flow.replyDestination && !gateway.includes(flow.replyDestination)
  })
}
