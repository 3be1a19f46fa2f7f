/** Network (Neutron): networks, subnets, ports, routers, floating IPs and security groups; and the hosts' data planes. */
import { service } from '#kernel/service.ts'
import { networkConfig } from './config.ts'
import { networkContract } from './contract.ts'
import { networkFaults } from './faults.ts'
import { initial } from './migrations/0001-initial.ts'
import { networks } from './networks/network.ts'
import { sharedRules } from './policy.ts'
import { portRules, ports } from './ports/port.ts'
import { securityGroupRules } from './security-groups/rule.ts'
import { securityGroups } from './security-groups/security-group.ts'
import { subnets } from './subnets/subnet.ts'
import { listVersions, showVersion } from './versions.ts'

const resources = [networks, subnets, ports, securityGroups, securityGroupRules]

export const networkService = service({
  type: 'network',
  name: 'neutron',
  path: '/network',
  operations: [
    listVersions,
    showVersion(resources.map(({ spec }) => ({ name: spec.member, collection: spec.path.slice('/v2.0/'.length) }))),
    ...resources.flatMap(one => one.operations),
  ],
  rules: [...sharedRules, ...Object.values(portRules), ...resources.flatMap(one => one.allRules)],
  faults: networkFaults,
  migrations: [initial],
  config: networkConfig,
  contract: networkContract,
})
