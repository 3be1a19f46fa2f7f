/** The desired state as kernel objects: a pure function from what a host must carry to its namespaces, devices, routes, rules and daemons. */
import type { HostNetworkState, NetworkSpec } from '../driver.ts'
import { metadataV4, normalIp, parseCidr } from './addresses.ts'
import { dhcpDaemon, routerDaemon } from './dhcp.ts'
import type { DaemonPlan } from './dnsmasq.ts'
import {
  bridgeName,
  dhcpInner,
  dhcpOuter,
  externalOuter,
  gatewayInner,
  type PlaneNames,
  routerInner,
  routerOuter,
  tapName,
} from './names.ts'
import type { NamespacePlan, Settings } from './namespaces.ts'
import type { NftChain, Ruleset } from './nft.ts'
import { routerRoutes, routerRuleset } from './routers.ts'
import { filterRuleset, type Tracking, trackingRuleset } from './security-groups.ts'

export interface PhysicalNetwork {
  /** The host's own address on the physical network, with prefix length: the gateway of its subnets. */
  host_address: string
  ipv6?: string
  /** Whether the host translates what leaves it from there. */
  nat: boolean
}

export interface Plan {
  /** The namespace that this process runs in: the host's ends of physical networks. */
  host: NamespacePlan
  namespaces: Map<string, NamespacePlan>
  daemons: Map<string, DaemonPlan>
  /** Networks whose guests find metadata, and the namespace that it is served in. */
  metadata: Map<string, string>
  problems: { id: string; message: string }[]
}

export interface PlanOptions {
  names: PlaneNames
  physical_networks: Readonly<Record<string, PhysicalNetwork>>
  tracking: Tracking
  /** Name servers of the host, for subnets that name none. */
  resolvers: readonly string[]
}

const perInterface = (family: 'ipv4' | 'ipv6', key: string) => [
  `${family}/conf/all/${key}`,
  `${family}/conf/default/${key}`,
]

/** Bridges have no addresses here: guests must not reach this namespace itself. */
const dataplaneSettings: Settings = {
  // A reply without its connection must not open a new one: cutting a flow would not end it otherwise.
  '0': ['netfilter/nf_conntrack_tcp_loose', 'ipv4/ip_forward'],
  '1': perInterface('ipv6', 'disable_ipv6'),
}
const dhcpSettings: Settings = {
  '0': ['ipv4/ip_forward', ...perInterface('ipv6', 'accept_ra'), ...perInterface('ipv4', 'rp_filter')],
  '1': perInterface('ipv4', 'promote_secondaries'),
}
const routerSettings: Settings = {
  '0': [
    ...perInterface('ipv6', 'accept_ra'),
    ...perInterface('ipv4', 'rp_filter'),
    ...perInterface('ipv4', 'send_redirects'),
  ],
  '1': [
    'ipv4/ip_forward',
    'ipv6/conf/all/forwarding',
    ...perInterface('ipv4', 'arp_ignore'),
    ...perInterface('ipv4', 'promote_secondaries'),
    ...perInterface('ipv6', 'ndisc_notify'),
  ],
  '2': perInterface('ipv4', 'arp_announce'),
}

const emptyNamespace = (owner: string, settings: Settings): NamespacePlan => ({
  owner,
  links: new Map(),
  routes: [],
  rulesets: [],
  settings,
})

export function planHost(state: HostNetworkState, options: PlanOptions): Plan {
  const { names } = options
  const dataplane = emptyNamespace('', dataplaneSettings)
  const plan: Plan = {
    host: emptyNamespace('host', {}),
    namespaces: new Map([[names.dataplane, dataplane]]),
    daemons: new Map(),
    metadata: new Map(),
    problems: [],
  }
  for (const network of state.networks) addNetwork(plan, dataplane, network, options)
  const networks = new Map(state.networks.map(network => [network.id, network]))
  for (const port of state.ports) {
    const { mtu } = networks.get(port.network_id)!
    const master = bridgeName(port.network_id)
    const common = { owner: port.id, mtu, master, addresses: new Set<string>() }
    dataplane.links.set(tapName(port.id), { kind: 'tap', up: port.admin_state_up, ...common })
  }
  addRouters(plan, dataplane, state, networks, names)
  dataplane.rulesets.push(trackingRuleset(state, options.tracking), filterRuleset(state))
  plan.host.rulesets.push(hostRuleset(plan, state, options))
  return plan
}

function normalRange(text: string): string {
  const { address, prefix } = parseCidr(text)!
  return `${address}/${prefix}`
}

interface PairPlan {
  owner: string
  network: NetworkSpec
  outer: string
  inner: string
  mac: string
  addresses: string[]
  netns: string
}

/** A pair from the network's bridge into another namespace. */
function addPair(dataplane: NamespacePlan, inside: NamespacePlan, pair: PairPlan): void {
  const { owner, network, outer, inner, mac, netns } = pair
  const common = { kind: 'veth', owner, mtu: network.mtu, up: true } as const
  dataplane.links.set(outer, {
    ...common,
    master: bridgeName(network.id),
    addresses: new Set(),
    peer: { netns, name: inner },
  })
  inside.links.set(inner, { ...common, mac, addresses: new Set(pair.addresses) })
}

function addNetwork(plan: Plan, dataplane: NamespacePlan, network: NetworkSpec, options: PlanOptions): void {
  const { id, mtu, dhcp_port, physical_network } = network
  const bridge = bridgeName(id)
  dataplane.links.set(bridge, { kind: 'bridge', owner: id, mtu, up: true, addresses: new Set() })
  if (physical_network !== undefined) addExternal(plan, dataplane, network, physical_network, options)
  if (!dhcp_port) return
  const netns = options.names.dhcp(id)
  const inside = emptyNamespace(id, dhcpSettings)
  const lengths = new Map(network.subnets.map(subnet => [subnet.id, parseCidr(subnet.cidr)!.prefix]))
  const own = dhcp_port.ips.map(ip => `${normalIp(ip.ip_address)}/${lengths.get(ip.subnet_id)}`)
  addPair(dataplane, inside, {
    owner: id,
    network,
    outer: dhcpOuter(dhcp_port.id),
    inner: dhcpInner(dhcp_port.id),
    mac: dhcp_port.mac,
    addresses: [...own, `${metadataV4}/32`],
    netns,
  })
  for (const version of [4, 6] as const) {
    const subnet = network.subnets.find(s => s.ip_version === version && s.enable_dhcp && s.gateway_ip !== null)
    if (!subnet || !dhcp_port.ips.some(ip => ip.subnet_id === subnet.id)) continue
    const via = normalIp(subnet.gateway_ip!)
    inside.routes.push({ owner: id, destination: 'default', via, device: dhcpInner(dhcp_port.id) })
  }
  plan.namespaces.set(netns, inside)
  plan.daemons.set(`dhcp-${id}`, dhcpDaemon(network, dhcp_port, netns, options.resolvers))
  plan.metadata.set(id, netns)
}

/** The host's own place on a physical network. */
function addExternal(
  plan: Plan,
  dataplane: NamespacePlan,
  network: NetworkSpec,
  physical: string,
  { names, physical_networks }: PlanOptions,
): void {
  const config = physical_networks[physical]
  if (!config) {
    const known = Object.keys(physical_networks).join(', ') || 'none'
    const message = `Physical network "${physical}" is not configured on this host (it has: ${known}); add it under physical_networks.`
    plan.problems.push({ id: network.id, message })
    return
  }
  const common = { kind: 'veth', owner: network.id, mtu: network.mtu, up: true } as const
  const outer = externalOuter(physical)
  plan.host.links.set(names.hostDevice(physical), {
    ...common,
    mac: names.hostMac(physical),
    addresses: new Set([config.host_address, ...(config.ipv6 ? [config.ipv6] : [])].map(normalRange)),
    peer: { netns: names.dataplane, name: outer },
  })
  dataplane.links.set(outer, { ...common, master: bridgeName(network.id), addresses: new Set() })
}

function addRouters(
  plan: Plan,
  dataplane: NamespacePlan,
  state: HostNetworkState,
  networks: ReadonlyMap<string, NetworkSpec>,
  names: PlaneNames,
): void {
  for (const router of state.routers) {
    if (!router.admin_state_up) continue
    const netns = names.router(router.id)
    const inside = emptyNamespace(router.id, routerSettings)
    for (const port of router.interfaces) {
      const inner = routerInner(port.port_id)
      const { port_id, mac, addresses } = port
      const network = networks.get(port.network_id)!
      const outer = routerOuter(port_id)
      addPair(dataplane, inside, {
        owner: router.id,
        network,
        outer,
        inner,
        mac,
        addresses: addresses.map(normalRange),
        netns,
      })
    }
    if (router.gateway) {
      const { port_id, mac, addresses, network_id } = router.gateway
      const floating = router.floating_ips.map(ip => `${ip.floating_ip}/32`)
      addPair(dataplane, inside, {
        owner: router.id,
        network: networks.get(network_id)!,
        outer: routerOuter(port_id),
        inner: gatewayInner(port_id),
        mac,
        addresses: [...addresses, ...floating].map(normalRange),
        netns,
      })
    }
    inside.routes.push(...routerRoutes(router))
    inside.rulesets.push(routerRuleset(router))
    plan.namespaces.set(netns, inside)
    const daemon = routerDaemon(router, networks, netns)
    if (daemon) plan.daemons.set(`router-${router.id}`, daemon)
  }
}

/** Address translation from physical networks to whatever lies beyond the host. */
function hostRuleset(plan: Plan, state: HostNetworkState, { names, physical_networks }: PlanOptions): Ruleset {
  const rules: string[] = []
  for (const physical of new Set(state.networks.flatMap(network => network.physical_network ?? []))) {
    const config = physical_networks[physical]
    const device = names.hostDevice(physical)
    if (!config?.nat || !plan.host.links.has(device)) continue
    for (const address of [config.host_address, config.ipv6]) {
      if (!address) continue
      const { version, network, prefix } = parseCidr(address)!
      rules.push(`${version === 4 ? 'ip' : 'ip6'} saddr ${network}/${prefix} oifname != "${device}" masquerade`)
    }
  }
  const chains = new Map<string, NftChain>()
  if (rules.length > 0) {
    chains.set('postrouting', { hook: 'type nat hook postrouting priority srcnat; policy accept;', rules })
  }
  return { family: 'inet', table: names.hostTable, sets: new Map(), chains }
}
