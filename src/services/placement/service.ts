/** Placement: what there is to give, who has what of it, and where a request would fit. */
import { service } from '#kernel/service.ts'
import { placementFaults } from './faults.ts'
import { initial } from './migrations/0001-initial.ts'
import { placementContract } from './offers.ts'
import { listVersions, maxVersion, minVersion } from './versions.ts'

export const placementService = service({
  type: 'placement',
  name: 'placement',
  path: '/placement',
  microversions: { serviceType: 'placement', min: minVersion, max: maxVersion },
  operations: [listVersions],
  faults: placementFaults,
  migrations: [initial],
  contract: placementContract,
})
