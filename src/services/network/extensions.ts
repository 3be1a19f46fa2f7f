/** The extensions that this API has, as clients ask for them before they use a feature. */
import { NotFound } from '#kernel/errors.ts'
import { operation } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'

/** Alias, name, and what it adds. */
const known: [alias: string, name: string, description: string][] = [
  ['agent', 'agent', 'Agents on hosts and what they report.'],
  ['allowed-address-pairs', 'Allowed Address Pairs', 'Addresses besides its own that a port may use.'],
  ['aap-reject-multicast', 'Allowed Address Pairs without multicast', 'Multicast address pairs are refused.'],
  [
    'auto-allocated-topology',
    'Auto Allocated Topology Services',
    'A network that leads outside is made when asked for.',
  ],
  ['availability_zone', 'Availability Zone', 'Zones of agents.'],
  ['binding', 'Port Binding', 'Where a port is bound and how.'],
  ['default-subnetpools', 'Default Subnetpools', 'Subnets are taken from a default pool.'],
  ['dns-domain-ports', 'DNS domain of ports', 'Ports have a domain of their own.'],
  ['dns-integration', 'DNS Integration', 'Names of ports and networks in DNS.'],
  ['empty-string-filtering', 'Empty String Filtering', 'Lists can be filtered by the empty text.'],
  ['ext-gw-mode', 'Router external gateway mode', 'Source NAT of a router can be turned off.'],
  ['external-net', 'Neutron external network', 'Networks that lead outside.'],
  ['extra_dhcp_opt', 'Extra DHCP options', 'DHCP options of a port.'],
  ['extraroute', 'Extra Route', 'Static routes of routers.'],
  ['extraroute-atomic', 'Atomic Extra Routes', 'Routes are added and removed one by one.'],
  ['filter-validation', 'Filter Validation', 'Unknown filters are refused.'],
  ['floatingip-pools', 'Floating IP pools', 'Where floating IPs come from.'],
  ['fip-port-details', 'Floating IP port details', 'A floating IP shows its port.'],
  ['ip-substring-filtering', 'IP Substring Filtering', 'Ports are filtered by a part of an address.'],
  ['net-mtu', 'Network MTU', 'A network shows its MTU.'],
  ['net-mtu-writable', 'Network MTU writable', 'The MTU can be set.'],
  ['network-ip-availability', 'Network IP Availability', 'How many addresses of a network are used.'],
  ['network_availability_zone', 'Network Availability Zone', 'Zones of networks.'],
  ['pagination', 'Pagination', 'Lists come in pages.'],
  ['port-mac-address-regenerate', 'Port MAC regenerate', 'A new MAC can be asked for.'],
  ['port-security', 'Port Security', 'Anti-spoofing and security groups can be turned off.'],
  ['port-security-groups-filtering', 'Port filtering on security groups', 'Ports are filtered by security group.'],
  ['project-id', 'project_id', 'project_id beside tenant_id.'],
  ['provider', 'Provider Network', 'What a network is on the wire.'],
  ['quota-check-limit', 'Quota limit check', 'A limit below what is used can be refused.'],
  ['quota_details', 'Quota details', 'Quotas with what is used of them.'],
  ['quotas', 'Quota management', 'Limits of projects.'],
  ['rbac-policies', 'RBAC Policies', 'Networks are given to single projects.'],
  ['revision-if-match', 'If-Match by revision', 'Changes only of the revision that the caller saw.'],
  ['router', 'Router', 'Routers and floating IPs.'],
  ['router_availability_zone', 'Router Availability Zone', 'Zones of routers.'],
  ['security-group', 'security-group', 'Security groups and rules.'],
  ['security-groups-normalized-cidr', 'Normalized CIDR', 'Rules show the range in normal form.'],
  [
    'security-groups-rules-belongs-to-default-sg',
    'Rules of default groups',
    'Rules tell whether their group is a default one.',
  ],
  ['security-groups-shared-filtering', 'Shared security groups', 'Groups are filtered by shared.'],
  ['service-type', 'Service Type Management', 'Providers of services.'],
  ['sorting', 'Sorting', 'Lists are sorted as asked.'],
  ['standard-attr-description', 'Descriptions', 'Resources have a description.'],
  ['standard-attr-revisions', 'Revisions', 'Resources have a revision number.'],
  ['standard-attr-tag', 'Tags', 'Resources have tags.'],
  ['standard-attr-timestamp', 'Timestamps', 'Resources tell when they were made and changed.'],
  ['stateful-security-group', 'Stateful security group', 'Groups can be stateless.'],
  ['subnet_allocation', 'Subnet Allocation', 'Subnets are taken from pools.'],
  ['subnetpool-prefix-ops', 'Subnet Pool Prefix Operations', 'Prefixes are added and removed one by one.'],
  ['subnet-dns-publish-fixed-ip', 'Subnet DNS publish fixed IP', 'Whether a subnet’s addresses are published.'],
  ['subnet-external-network', 'Subnets of external networks', 'A subnet tells whether it leads outside.'],
  ['subnet-service-types', 'Subnet service types', 'Subnets can serve some kinds of ports only.'],
  ['tag-creation', 'Tags at creation', 'Tags can be given at creation.'],
  ['tag-ports-during-bulk-creation', 'Tags of ports in bulk', 'Ports made in bulk can have tags.'],
  ['uplink-status-propagation', 'Uplink status propagation', 'Whether a port follows its uplink.'],
  ['uplink-status-propagation-updatable', 'Uplink status changeable', 'That can be changed.'],
]

const shown = known.map(([alias, name, description]) => ({
  alias,
  name,
  description,
  updated: '2026-01-01T00:00:00-00:00',
  links: [],
}))

const extension = Type.Object({
  name: Type.String(),
  alias: Type.String(),
  description: Type.String(),
  updated: Type.String(),
  links: Type.Array(Type.Unknown()),
})

const listExtensions = operation({
  id: 'network.extensions.list',
  method: 'GET',
  path: '/v2.0/extensions',
  summary: 'List extensions',
  policy: 'authenticated',
  response: Type.Object({ extensions: Type.Array(extension) }),
  handle: async () => ({ extensions: shown }),
})

const showExtension = operation({
  id: 'network.extensions.show',
  method: 'GET',
  path: '/v2.0/extensions/{alias}',
  summary: 'Show an extension',
  policy: 'authenticated',
  response: Type.Object({ extension }),
  async handle(_ctx, { params }) {
    const extension = shown.find(one => one.alias === params.alias)
    if (!extension) throw new NotFound(`Extension with alias ${params.alias} does not exist`, { type: 'HTTPNotFound' })
    return { extension }
  },
})

export const extensionOperations = [listExtensions, showExtension]
