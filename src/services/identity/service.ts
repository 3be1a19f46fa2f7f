/** Identity (Keystone): who is asking, for which project, with which roles; and the catalog. */
import { systemCtx } from '#kernel/context.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { service } from '#kernel/service.ts'
import { identityConfig } from './config.ts'
import { identityContract } from './contract.ts'
import { identityFaults } from './faults.ts'
import { ensureKeys, rotateWhenDue } from './keys/key.ts'
import { initial } from './migrations/0001-initial.ts'
import { baseRules } from './policy.ts'
import { expireRevocations, followGeneration } from './revocations/revocation.ts'
import { issueToken } from './tokens/issue.ts'
import { deleteToken, showCatalog, showToken } from './tokens/operations.ts'
import { listVersions, showVersion } from './versions.ts'

const upkeep = reconciler({
  id: 'identity.upkeep',
  every: 600_000,
  async run(ctx) {
    await rotateWhenDue(ctx)
    await expireRevocations(ctx)
  },
})

export const identityService = service({
  type: 'identity',
  name: 'keystone',
  path: '/identity',
  operations: [listVersions, showVersion, issueToken, showToken, deleteToken, showCatalog],
  faults: identityFaults,
  rules: baseRules,
  reconcilers: [upkeep],
  migrations: [initial],
  config: identityConfig,
  contract: identityContract,
  async start(env) {
    await ensureKeys(systemCtx(env))
    return followGeneration(env)
  },
})
