/** Compute (Nova): servers, and the hosts that run them. */
import { service } from '#kernel/service.ts'
import { aggregateOperations } from './aggregates/operations.ts'
import { computeConfig } from './config.ts'
import { serveComputeControl } from './control.ts'
import { computeFaults } from './faults.ts'
import { flavorOperations } from './flavors/operations.ts'
import { hypervisorOperations } from './hosts/hypervisors.ts'
import { serviceOperations } from './hosts/services.ts'
import { zoneOperations } from './hosts/zones.ts'
import { keypairOperations, keypairRules } from './keypairs/operations.ts'
import { initial } from './migrations/0001-initial.ts'
import { hostsAndFlavors } from './migrations/0002-hosts-and-flavors.ts'
import { serverOperations, serverRules, serverSagas } from './servers/operations.ts'

export const computeService = service({
  type: 'compute',
  name: 'nova',
  path: '/compute',
  microversions: {
    serviceType: 'compute',
    legacyHeader: 'X-OpenStack-Nova-API-Version',
    min: '2.1',
    max: '2.96',
  },
  operations: [
    ...serverOperations,
    ...flavorOperations,
    ...keypairOperations,
    ...serviceOperations,
    ...hypervisorOperations,
    ...zoneOperations,
    ...aggregateOperations,
  ],
  rules: [...serverRules, ...keypairRules],
  faults: computeFaults,
  sagas: serverSagas,
  reconcilers: [],
  migrations: [initial, hostsAndFlavors],
  config: computeConfig,
  rewrite: withoutProject,
  start: async env => serveComputeControl(env),
})

/** Before 2.18 the project's id is the first part of every path; later it may be. */
function withoutProject(path: string): string {
  return path.replace(/^\/v2\.1\/(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=\/|\?|$)/i, '/v2.1')
}
