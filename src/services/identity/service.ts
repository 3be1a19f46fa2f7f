/** Identity (Keystone): who is asking, for which project, with which roles; and the catalog. */
import { service } from '#kernel/service.ts'
import { identityContract } from './contract.ts'
import { identityFaults } from './faults.ts'
import { listVersions, showVersion } from './versions.ts'

export const identityService = service({
  type: 'identity',
  name: 'keystone',
  path: '/identity',
  operations: [listVersions, showVersion],
  faults: identityFaults,
  contract: identityContract,
})
