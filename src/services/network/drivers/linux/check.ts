/** The last check before text reaches nft, ip and dnsmasq: what is malformed is left out and told, what is sound is carried. */
import type { HostNetworkState, NetworkSpec, PortSpec, RouterSpec, RuleSpec, SecurityGroupSpec } from '../driver.ts'
import { ipVersion, isMac, parseCidr } from './addresses.ts'
import { protocolNumber } from './protocols.ts'

export interface Problem {
  id: string
  message: string
}

const idPattern = /^[0-9a-zA-Z][0-9a-zA-Z-]{0,63}$/
const isIp = (text: string) => ipVersion(text) !== undefined
const isRange = (text: string) => parseCidr(text) !== undefined

/** Throws what is wrong; each check names the field. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

function checkIps(ips: { subnet_id: string; ip_address: string }[]): void {
  for (const ip of ips) must(isIp(ip.ip_address), `fixed_ips holds "${ip.ip_address}", which is no address`)
}

function checkNetwork(network: NetworkSpec): void {
  must(Number.isInteger(network.mtu) && network.mtu >= 68 && network.mtu <= 65535, `mtu ${network.mtu} is out of range`)
  must(Number.isInteger(network.segment) && network.segment >= 0, `segment ${network.segment} is no number`)
  for (const subnet of network.subnets) {
    must(idPattern.test(subnet.id), 'a subnet has a malformed id')
    must(
      parseCidr(subnet.cidr)?.version === subnet.ip_version,
      `cidr "${subnet.cidr}" is no IPv${subnet.ip_version} range`,
    )
    must(subnet.gateway_ip === null || isIp(subnet.gateway_ip), `gateway_ip "${subnet.gateway_ip}" is no address`)
    must(subnet.dns_nameservers.every(isIp), 'dns_nameservers holds something that is no address')
    const routes = subnet.host_routes
    must(
      routes.every(r => isRange(r.destination) && isIp(r.nexthop)),
      'host_routes holds something that is no route',
    )
  }
  const { dhcp_port } = network
  if (!dhcp_port) return
  must(idPattern.test(dhcp_port.id) && isMac(dhcp_port.mac), 'the DHCP port has a malformed id or mac')
  checkIps(dhcp_port.ips)
  const subnets = new Set(network.subnets.map(subnet => subnet.id))
  must(
    dhcp_port.ips.every(ip => subnets.has(ip.subnet_id)),
    'the DHCP port has an address of an unknown subnet',
  )
}

function checkPort(port: PortSpec): void {
  must(isMac(port.mac), `mac "${port.mac}" is malformed`)
  checkIps(port.ips)
  for (const { ip_address, mac_address } of port.allowed_address_pairs) {
    must(isRange(ip_address) && (mac_address === undefined || isMac(mac_address)), 'allowed_address_pairs is malformed')
  }
}

function checkRule(rule: RuleSpec): void {
  protocolNumber(rule.protocol, rule.ethertype)
  for (const port of [rule.port_range_min, rule.port_range_max]) {
    must(port === null || (Number.isInteger(port) && port >= 0 && port <= 65535), `port range ends at ${port}`)
  }
  const { remote_ip_prefix: prefix } = rule
  must(prefix === null || isRange(prefix), `remote_ip_prefix "${prefix}" is no range`)
  must(rule.remote_group_id === null || idPattern.test(rule.remote_group_id), 'remote_group_id is malformed')
}

function checkRouter(router: RouterSpec): void {
  for (const port of router.gateway ? [...router.interfaces, router.gateway] : router.interfaces) {
    must(idPattern.test(port.port_id) && isMac(port.mac), 'a router port has a malformed id or mac')
    must(port.addresses.every(isRange), 'a router port has a malformed address')
  }
  must(router.gateway?.gateway_ips.every(isIp) ?? true, 'gateway_ips holds something that is no address')
  const floating = router.floating_ips
  const v4 = (text: string) => ipVersion(text) === 4
  must(
    floating.every(ip => v4(ip.floating_ip) && v4(ip.fixed_ip)),
    'a floating IP is no pair of IPv4 addresses',
  )
  must(
    router.routes.every(r => isRange(r.destination) && isIp(r.nexthop)),
    'routes holds something that is no route',
  )
}

/** The desired state without what could not be written safely. */
export function checkedState(desired: HostNetworkState): { state: HostNetworkState; problems: Problem[] } {
  const problems: Problem[] = []
  function sound<T extends { id: string }>(items: readonly T[], kind: string, check: (item: T) => void): T[] {
    const seen = new Set<string>()
    return items.filter(item => {
      try {
        must(idPattern.test(item.id), 'its id is malformed')
        must(!seen.has(item.id), 'it is there twice')
        check(item)
        seen.add(item.id)
        return true
      } catch (error) {
        problems.push({ id: item.id, message: `${kind} is not carried: ${(error as Error).message}.` })
        return false
      }
    })
  }
  const networks = sound(desired.networks, 'The network', checkNetwork).map(network => ({
    ...network,
    leases: sound(
      network.leases.map(lease => ({ ...lease, id: lease.port_id })),
      'The lease',
      lease => {
        must(isMac(lease.mac), `mac "${lease.mac}" is malformed`)
        checkIps(lease.ips)
      },
    ),
  }))
  const known = new Set(networks.map(network => network.id))
  const onNetwork = (id: string) => must(known.has(id), `its network ${id} is not on this host`)
  const groups = sound(desired.security_groups, 'The security group', () => {}).map(
    (group): SecurityGroupSpec => ({
      ...group,
      rules: sound(group.rules, 'The rule', checkRule),
      members: group.members.filter(isRange),
    }),
  )
  const ports = sound(desired.ports, 'The port', port => {
    checkPort(port)
    onNetwork(port.network_id)
  })
  const routers = sound(desired.routers, 'The router', router => {
    checkRouter(router)
    for (const port of router.gateway ? [...router.interfaces, router.gateway] : router.interfaces)
      onNetwork(port.network_id)
  })
  return { state: { revision: desired.revision, networks, ports, security_groups: groups, routers }, problems }
}
