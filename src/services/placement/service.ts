/** Placement: what there is to give, who has what of it, and where a request would fit. */
import { service } from '#kernel/service.ts'
import { aggregateOperations } from './aggregates/operations.ts'
import { allocationOperations } from './allocations/operations.ts'
import { explainCandidates } from './candidates/explanation.ts'
import { candidateOperations } from './candidates/operations.ts'
import { classOperations } from './classes/operations.ts'
import { placementConfig } from './config.ts'
import { jsonOnly } from './dialect.ts'
import { placementFaults } from './faults.ts'
import { inventoryOperations } from './inventories/operations.ts'
import { initial } from './migrations/0001-initial.ts'
import { parentsIndex } from './migrations/0002-parents.ts'
import { placementContract } from './offers.ts'
import { providerOperations } from './providers/operations.ts'
import { reshaperOperations } from './reshaper/operations.ts'
import { traitOperations } from './traits/operations.ts'
import { usageOperations } from './usages/operations.ts'
import { listVersions, maxVersion, minVersion } from './versions.ts'

export const placementService = service({
  type: 'placement',
  name: 'placement',
  path: '/placement',
  microversions: {
    serviceType: 'placement',
    vary: 'openstack-api-version',
    min: minVersion,
    max: maxVersion,
    zeroMajor: true,
  },
  operations: [
    listVersions,
    ...[
      ...providerOperations,
      ...inventoryOperations,
      ...aggregateOperations,
      ...traitOperations,
      ...classOperations,
      ...usageOperations,
      ...allocationOperations,
      ...candidateOperations,
      explainCandidates,
      ...reshaperOperations,
    ].map(jsonOnly),
  ],
  faults: placementFaults,
  migrations: [initial, parentsIndex],
  config: placementConfig,
  contract: placementContract,
})
