/** What dnsmasq reads: DHCP, DNS and router advertisements of a network, as text. Words from tenants are checked again here. */
import type { LeaseSpec, NetworkSpec, RouterSpec, SubnetSpec } from '../driver.ts'
import { metadataV4, normalIp, parseCidr } from './addresses.ts'
import type { DaemonPlan } from './dnsmasq.ts'
import { dhcpInner, routerInner } from './names.ts'

const leaseSeconds = 86_400
const labelPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i
const tagOf = (subnet: SubnetSpec) => `subnet-${subnet.id}`

/** A name that is safe in every one of dnsmasq's files; undefined when it is not one. */
export function safeLabel(name: string): string | undefined {
  return labelPattern.test(name) ? name.toLowerCase() : undefined
}

export function safeDomain(domain: string): string | undefined {
  const labels = domain.replace(/\.$/, '').split('.')
  return domain.length <= 255 && labels.every(label => labelPattern.test(label))
    ? labels.join('.').toLowerCase()
    : undefined
}

const bracketed = (ip: string) => (ip.includes(':') ? `[${ip}]` : ip)
const lines = (text: string[]) => (text.length > 0 ? `${text.join('\n')}\n` : '')

type DhcpPort = NonNullable<NetworkSpec['dhcp_port']>

export function dhcpDaemon(
  network: NetworkSpec,
  port: DhcpPort,
  netns: string,
  resolvers: readonly string[],
): DaemonPlan {
  const served = network.subnets.filter(subnet => subnet.enable_dhcp)
  const leases = network.leases.map(lease => readLease(lease, served))
  const domain = safeDomain(network.dns_domain)
  const named = [...new Set(network.subnets.flatMap(subnet => nameServers(subnet, [])))]
  const servers = named.length > 0 ? named : resolvers.map(normalIp)
  return {
    owner: network.id,
    netns,
    conf: lines([
      ...base(dhcpInner(port.id)),
      'no-hosts',
      'no-resolv',
      'domain-needed',
      ...(domain ? [`domain=${domain}`, `local=/${domain}/`] : []),
      ...servers.map(server => `server=${server}`),
      'no-ping',
      'dhcp-authoritative',
      'leasefile-ro',
      `dhcp-lease-max=${Math.max(1024, 2 * leases.length)}`,
      `dhcp-option-force=option:mtu,${network.mtu}`,
      ...served.flatMap(rangeLine),
      // A tag in the hosts file would crash dnsmasq 2.90 when it is read again; here a change restarts it instead.
      ...leases
        .filter(lease => lease.options.length > 0)
        .flatMap(lease => hostLines(lease, `set:port-${lease.port_id},`)),
    ]),
    files: {
      'dhcp-hostsfile': lines(
        leases.filter(lease => lease.options.length === 0).flatMap(lease => hostLines(lease, '')),
      ),
      'dhcp-optsfile': lines([
        ...served.flatMap(subnet => subnetOptions(subnet, port, domain)),
        ...leases.flatMap(lease => lease.options.map(option => `tag:port-${lease.port_id},${option}`)),
      ]),
      'addn-hosts': lines(leases.flatMap(lease => nameLines(lease, domain))),
    },
  }
}

function base(device: string): string[] {
  return ['bind-dynamic', `interface=${device}`, 'except-interface=lo', 'quiet-dhcp', 'quiet-dhcp6', 'quiet-ra']
}

function rangeLine(subnet: SubnetSpec): string[] {
  const { network, prefix } = parseCidr(subnet.cidr)!
  if (subnet.ip_version === 4)
    return [`dhcp-range=set:${tagOf(subnet)},${network},static,${maskOf(prefix)},${leaseSeconds}`]
  if (subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === null || prefix < 64) return []
  return [`dhcp-range=set:${tagOf(subnet)},${network},static,${prefix},${leaseSeconds}`]
}

function maskOf(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
  return [24, 16, 8, 0].map(shift => (bits >>> shift) & 255).join('.')
}

interface Lease {
  port_id: string
  mac: string
  name: string
  /** Addresses that DHCP gives out. */
  dhcp: string[]
  /** Addresses that DNS knows. */
  all: string[]
  options: string[]
}

function readLease(lease: LeaseSpec, served: SubnetSpec[]): Lease {
  const byDhcp = new Set(
    served
      .filter(subnet => subnet.ip_version === 4 || subnet.ipv6_address_mode === 'dhcpv6-stateful')
      .map(subnet => subnet.id),
  )
  const all = lease.ips.map(ip => normalIp(ip.ip_address))
  return {
    port_id: lease.port_id,
    mac: lease.mac,
    name: safeLabel(lease.hostname) ?? `host-${(all[0] ?? lease.port_id).replace(/[.:]+/g, '-')}`,
    dhcp: lease.ips.filter(ip => byDhcp.has(ip.subnet_id)).map(ip => normalIp(ip.ip_address)),
    all,
    options: lease.dhcp_options.flatMap(option => optionText(option) ?? []),
  }
}

/** One of a port's own DHCP options; undefined when name or value could be read as anything else. */
export function optionText({ name, value, ip_version }: LeaseSpec['dhcp_options'][number]): string | undefined {
  if (!/^[\x20-\x7e]{0,255}$/.test(value)) return undefined
  const family = ip_version === 6 ? 'option6' : 'option'
  const plain = name.replace(/^option6?:/, '')
  if (/^\d{1,3}$/.test(plain)) return ip_version === 6 ? `option6:${plain},${value}` : `${plain},${value}`
  return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(plain) ? `${family}:${plain},${value}` : undefined
}

/** The first IPv4 address and all IPv6 ones share a line; dnsmasq takes one IPv4 address a line. */
function hostLines({ mac, dhcp, name }: Lease, tag: string): string[] {
  const v4 = dhcp.filter(ip => !ip.includes(':'))
  const v6 = dhcp.filter(ip => ip.includes(':'))
  if (dhcp.length === 0) return tag ? [`dhcp-host=${mac},${tag}${name}`] : []
  const first = [...v4.slice(0, 1), ...v6].map(bracketed).join(',')
  const key = tag ? 'dhcp-host=' : ''
  return [first, ...v4.slice(1)].map(ips => `${key}${mac},${tag}${ips},${name},${leaseSeconds}`)
}

function nameLines({ all, name }: Lease, domain: string | undefined): string[] {
  return all.map(ip => (domain ? `${ip} ${name}.${domain} ${name}` : `${ip} ${name}`))
}

/** Who answers guests for names, as upstream: the subnet's name servers; `0.0.0.0` or `::` alone is nobody; without any, the network's own. */
function nameServers({ ip_version, dns_nameservers }: SubnetSpec, own: string[]): string[] {
  const nobody = ip_version === 4 ? '0.0.0.0' : '::'
  const named = dns_nameservers.filter(ip => parseCidr(ip)?.version === ip_version)
  if (named.length === 0) return own
  return named.map(normalIp).filter(ip => ip !== nobody)
}

function subnetOptions(subnet: SubnetSpec, port: DhcpPort, domain: string | undefined): string[] {
  const own = port.ips.filter(ip => ip.subnet_id === subnet.id).map(ip => normalIp(ip.ip_address))
  const tag = `tag:${tagOf(subnet)}`
  const dns = nameServers(subnet, own)
  if (subnet.ip_version === 6) {
    if (own.length === 0) return []
    const search = domain ? [`${tag},option6:domain-search,${domain}`] : []
    return [...(dns.length > 0 ? [`${tag},option6:dns-server,${dns.map(bracketed).join(',')}`] : []), ...search]
  }
  const gateway = subnet.gateway_ip === null ? '' : normalIp(subnet.gateway_ip)
  const routes = [
    ...(own[0] ? [[`${metadataV4}/32`, own[0]]] : []),
    ...subnet.host_routes.flatMap(({ destination, nexthop }) => {
      const range = parseCidr(destination)
      return range ? [[`${range.network}/${range.prefix}`, normalIp(nexthop)]] : []
    }),
    ...(gateway ? [['0.0.0.0/0', gateway]] : []),
  ]
  const classless = routes.flat().join(',')
  return [
    `${tag},option:router${gateway ? `,${gateway}` : ''}`,
    ...(own.length > 0 ? [`${tag},option:dns-server${dns.map(ip => `,${ip}`).join('')}`] : []),
    // 249 is the same for old Windows clients.
    ...(classless ? [`${tag},option:classless-static-route,${classless}`, `${tag},249,${classless}`] : []),
  ]
}

/** Router advertisements of a router's IPv6 interfaces; undefined when no subnet wants them. */
export function routerDaemon(
  router: RouterSpec,
  networks: ReadonlyMap<string, NetworkSpec>,
  netns: string,
): DaemonPlan | undefined {
  const devices: string[] = []
  const options: string[] = []
  for (const port of router.interfaces) {
    const network = networks.get(port.network_id)!
    const own = port.addresses.map(text => parseCidr(text)!).filter(cidr => cidr.version === 6)
    const subnets = network.subnets.filter(subnet => {
      const range = parseCidr(subnet.cidr)!
      return subnet.ipv6_ra_mode !== null && own.some(address => address.network === range.network)
    })
    if (subnets.length === 0) continue
    const device = routerInner(port.port_id)
    devices.push(`interface=${device}`)
    options.push(`ra-param=${device},mtu:${network.mtu},60,1800`, ...subnets.flatMap(s => advertise(s, network)))
  }
  if (devices.length === 0) return undefined
  const conf = [
    'port=0',
    'bind-dynamic',
    'enable-ra',
    'leasefile-ro',
    'quiet-ra',
    'quiet-dhcp6',
    ...devices,
    ...options,
  ]
  return { owner: router.id, netns, conf: lines(conf), files: {} }
}

function advertise(subnet: SubnetSpec, network: NetworkSpec): string[] {
  const { network: first, prefix } = parseCidr(subnet.cidr)!
  const mode = { slaac: 'ra-only', 'dhcpv6-stateless': 'ra-stateless', 'dhcpv6-stateful': 'static' }[
    subnet.ipv6_ra_mode!
  ]
  const own = network.dhcp_port?.ips.filter(ip => ip.subnet_id === subnet.id).map(ip => normalIp(ip.ip_address)) ?? []
  const dns = nameServers(subnet, own)
  return [
    `dhcp-range=set:${tagOf(subnet)},${first},${mode},${prefix},${leaseSeconds}`,
    ...(dns.length > 0 ? [`dhcp-option=tag:${tagOf(subnet)},option6:dns-server,${dns.map(bracketed).join(',')}`] : []),
  ]
}
