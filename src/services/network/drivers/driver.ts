/**
 * The data plane: how a host carries the frames of its guests. It is level-triggered: it is given the whole desired state of its host and
 * makes the host so, in as few atomic batches as it can, without dropping traffic of what did not change. It never sees the database.
 */

export interface SubnetSpec {
  id: string
  ip_version: 4 | 6
  cidr: string
  gateway_ip: string | null
  enable_dhcp: boolean
  dns_nameservers: string[]
  host_routes: { destination: string; nexthop: string }[]
  /** Ranges that DHCP serves; static leases only come from ports. */
  ipv6_address_mode: 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless' | null
  ipv6_ra_mode: 'slaac' | 'dhcpv6-stateful' | 'dhcpv6-stateless' | null
}

export interface FixedIp {
  subnet_id: string
  ip_address: string
}

/** A name and addresses for the network's DHCP and DNS; every port of the network, on whichever host. */
export interface LeaseSpec {
  port_id: string
  mac: string
  ips: FixedIp[]
  /** DNS name without domain. */
  hostname: string
  /** `extra_dhcp_opts` of the port, checked for control characters by the API. */
  dhcp_options: { name: string; value: string; ip_version: 4 | 6 }[]
}

export interface NetworkSpec {
  id: string
  /** VXLAN network identifier or local segment number; unique on this host. */
  segment: number
  mtu: number
  dns_domain: string
  /** Present for a network that is bridged to the outside: the physical network's name, see `PlaneConfig.physical_networks`. */
  physical_network?: string
  subnets: SubnetSpec[]
  /** The port whose addresses DHCP, DNS and metadata use; absent when no subnet has DHCP. */
  dhcp_port?: { id: string; mac: string; ips: FixedIp[] }
  leases: LeaseSpec[]
}

/** A guest's port that is bound to this host. */
export interface PortSpec {
  id: string
  network_id: string
  mac: string
  ips: FixedIp[]
  admin_state_up: boolean
  port_security: boolean
  allowed_address_pairs: { ip_address: string; mac_address?: string }[]
  security_groups: string[]
}

export interface RuleSpec {
  id: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  /** Protocol name or number as text; null for any. */
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  remote_group_id: string | null
}

export interface SecurityGroupSpec {
  id: string
  stateful: boolean
  rules: RuleSpec[]
  /** Addresses of all ports in the group on all hosts (and their allowed address pairs), for rules with this group as remote. */
  members: string[]
}

export interface RouterPortSpec {
  port_id: string
  network_id: string
  mac: string
  /** Address with prefix length, `10.0.0.1/24`. */
  addresses: string[]
}

export interface RouterSpec {
  id: string
  admin_state_up: boolean
  interfaces: RouterPortSpec[]
  gateway?: RouterPortSpec & { enable_snat: boolean; gateway_ips: string[] }
  floating_ips: { id: string; floating_ip: string; fixed_ip: string }[]
  routes: { destination: string; nexthop: string }[]
}

/** Everything that one host must carry. */
export interface HostNetworkState {
  /** Grows with every change; a plane that has applied revision n has applied all before it. */
  revision: number
  networks: NetworkSpec[]
  ports: PortSpec[]
  security_groups: SecurityGroupSpec[]
  routers: RouterSpec[]
}

export interface ConvergeReport {
  revision: number
  /** Ports of guests that are wired now. */
  wired: { port_id: string; tap: { name: string; netns?: string } }[]
  /** What could not be done; the rest was done. */
  problems: { id: string; message: string }[]
}

/** A request to 169.254.169.254 from a guest. The network is the listener's; the address is the packet's. Nothing comes from headers. */
export interface MetadataRequest {
  network_id: string
  source_ip: string
  method: string
  path: string
  headers: Record<string, string>
  body: Buffer
}
export interface MetadataResponse {
  status: number
  headers: Record<string, string>
  body: string | Buffer
}
export type MetadataHandler = (request: MetadataRequest) => Promise<MetadataResponse>

export interface PlaneFacts {
  name: string
  /** Neutron extension aliases that this plane can carry beyond the base (`port-security`, `allowed-address-pairs`, `extra_dhcp_opt` …). */
  extensions: string[]
  problems: string[]
}

export interface DataPlane extends AsyncDisposable {
  readonly name: string
  /** It makes nothing of what hosts know of each other: it is given no leases and no members of groups. */
  readonly alone?: boolean
  facts(): Promise<PlaneFacts>
  /** Makes the host carry exactly `desired`. Calls are serialized by the caller. */
  converge(desired: HostNetworkState): Promise<ConvergeReport>
  onMetadata(handler: MetadataHandler): void
  /** Cuts live connections that the last change no longer allows is part of `converge`; this removes everything this cloud made. */
  purge(): Promise<void>
}
