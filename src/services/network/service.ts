/** Network (Neutron): networks, subnets, ports, routers, floating IPs and security groups; and the hosts' data planes. */
import { service } from '#kernel/service.ts'
import { networkConfig } from './config.ts'
import { networkContract } from './contract.ts'
import { serveNetworkControl } from './control.ts'
import { extensionLists } from './extension-lists.ts'
import { extensionOperations } from './extensions.ts'
import { networkFaults } from './faults.ts'
import { floatingIps } from './floating-ips/floating-ip.ts'
import { agentOperations, agentRules } from './hosts/agents.ts'
import { availabilityOperations, availabilityRules } from './hosts/availability.ts'
import { hostNetworksHealth } from './hosts/health.ts'
import { neighbourChanges } from './hosts/neighbours.ts'
import { schedulingOperations, schedulingRules } from './hosts/scheduling.ts'
import { ipAvailabilityOperations, ipAvailabilityRules } from './ip-availability/ip-availability.ts'
import { initial } from './migrations/0001-initial.ts'
import { hostRevisions } from './migrations/0002-host-revisions.ts'
import { neighbours } from './migrations/0003-neighbours.ts'
import { networks } from './networks/network.ts'
import { networkNotifications } from './notifications.ts'
import { sharedRules } from './policy.ts'
import { portRules, ports } from './ports/port.ts'
import { quotaOperations, quotaRules } from './quotas/operations.ts'
import { rbacPolicies } from './rbac/rbac-policy.ts'
import { gatewayRules } from './routers/gateway.ts'
import { interfaceRules, routerOperations } from './routers/interfaces.ts'
import { routers } from './routers/router.ts'
import { securityGroupRules } from './security-groups/rule.ts'
import { securityGroups } from './security-groups/security-group.ts'
import { subnetPoolOperations, subnetPoolRules, subnetPools } from './subnet-pools/subnet-pool.ts'
import { subnets } from './subnets/subnet.ts'
import { tagOperations } from './tags.ts'
import { topologyOperations, topologyRules } from './topologies/topology.ts'
import { listVersions, showVersion } from './versions.ts'

const resources = [
  networks,
  subnets,
  subnetPools,
  ports,
  routers,
  floatingIps,
  securityGroups,
  securityGroupRules,
  rbacPolicies,
].map(({ spec, operations, allRules }) => ({
  name: spec.member,
  collection: spec.path.slice('/v2.0/'.length),
  operations,
  allRules,
}))

export const networkService = service({
  type: 'network',
  name: 'neutron',
  path: '/network',
  operations: [
    listVersions,
    showVersion(resources),
    ...resources.flatMap(one => one.operations),
    ...routerOperations,
    ...subnetPoolOperations,
    ...tagOperations(subnetPools),
    ...tagOperations(networks),
    ...tagOperations(subnets),
    ...tagOperations(ports),
    ...tagOperations(routers),
    ...tagOperations(floatingIps),
    ...tagOperations(securityGroups),
    ...tagOperations(securityGroupRules),
    ...extensionOperations,
    ...extensionLists,
    ...agentOperations,
    ...quotaOperations,
    ...schedulingOperations,
    ...availabilityOperations,
    ...ipAvailabilityOperations,
    ...topologyOperations,
  ],
  rules: [
    ...sharedRules,
    ...Object.values(portRules),
    ...Object.values(gatewayRules),
    ...interfaceRules,
    ...subnetPoolRules,
    ...agentRules,
    ...quotaRules,
    ...schedulingRules,
    ...availabilityRules,
    ...ipAvailabilityRules,
    ...topologyRules,
    ...resources.flatMap(one => one.allRules),
  ],
  faults: networkFaults,
  migrations: [initial, hostRevisions, neighbours],
  reconcilers: [neighbourChanges],
  config: networkConfig,
  contract: networkContract,
  notifications: networkNotifications(resources.map(({ name }) => name)),
  health: [hostNetworksHealth],
  control: async env => serveNetworkControl(env),
})
