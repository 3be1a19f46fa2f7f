/** Identity (Keystone): who is asking, for which project, with which roles; and the catalog. */
import { systemCtx } from '#kernel/context.ts'
import type { Operation } from '#kernel/operation.ts'
import { reconciler } from '#kernel/reconcile.ts'
import { service } from '#kernel/service.ts'
import { hidingAbsence } from './absence.ts'
import { accessRuleOperations } from './application-credentials/access-rules.ts'
import { applicationCredentialOperations } from './application-credentials/operations.ts'
import { allGrantOperations } from './assignments/grants.ts'
import { listRoleAssignments, treeRule } from './assignments/list.ts'
import { endpointResource, putRegion, regionResource, serviceResource } from './catalog/operations.ts'
import { identityConfig } from './config.ts'
import { accessTokenOperations } from './consumers/access-tokens.ts'
import { consumerOperations } from './consumers/operations.ts'
import { identityContract } from './contract.ts'
import { ec2CredentialOperations } from './credentials/ec2.ts'
import { credentialResource } from './credentials/operations.ts'
import { domainConfigOperations, domainConfigRules } from './domain-config/operations.ts'
import { domainResource } from './domains/operations.ts'
import { endpointGroupOperations } from './endpoint-groups/operations.ts'
import { identityFaults } from './faults.ts'
import { expireFederation } from './federation/federation.ts'
import { issuerLogoutOperations, tellOfEnds } from './federation/issuer-logout.ts'
import { logoutOperations } from './federation/logout.ts'
import { federationOperations } from './federation/operations.ts'
import { webssoOperations } from './federation/websso.ts'
import { groupOperations } from './groups/operations.ts'
import { identityProviderResource } from './identity-providers/operations.ts'
import { protocolOperations } from './identity-providers/protocols.ts'
import { ensureKeys, rotateWhenDue } from './keys/key.ts'
import { limitOperations } from './limits/operations.ts'
import { registeredLimitOperations } from './limits/registered.ts'
import { mappingResource } from './mappings/operations.ts'
import { initial } from './migrations/0001-initial.ts'
import { unknownLogins } from './migrations/0002-unknown-logins.ts'
import { trustTables } from './migrations/0003-trusts.ts'
import { expiryMicros } from './migrations/0004-expiry-micros.ts'
import { endpointFiltersPoliciesConsumers } from './migrations/0005-endpoint-filters-policies-consumers.ts'
import { unifiedLimits } from './migrations/0006-limits.ts'
import { passwordRules } from './migrations/0007-password-rules.ts'
import { federation } from './migrations/0008-federation.ts'
import { federatedUsers } from './migrations/0009-federated-users.ts'
import { revocationEvents } from './migrations/0010-revocation-events.ts'
import { directories } from './migrations/0011-directories.ts'
import { factorCodes } from './migrations/0012-factor-codes.ts'
import { severalFederated } from './migrations/0013-several-federated.ts'
import { federatedSessions } from './migrations/0014-federated-sessions.ts'
import { toldSessions } from './migrations/0015-told-sessions.ts'
import { closeDirectories, refreshDirectories } from './mirror.ts'
import { followRules, rulesChanged } from './policies/in-force.ts'
import { policyOperations } from './policies/operations.ts'
import { baseRules } from './policy.ts'
import { listProjectsOfUser, projectResource } from './projects/operations.ts'
import { authDomains, authProjects, authSystem, federatedScopes } from './projects/scopes.ts'
import { tagOperations } from './projects/tags.ts'
import { listRevocationEvents } from './revocations/operations.ts'
import { expireRevocations, followGeneration } from './revocations/revocation.ts'
import { impliedRoleOperations, impliedRoleRules } from './roles/implied.ts'
import { domainRoleRules, roleResource } from './roles/operations.ts'
import { serviceProviderResource } from './service-providers/operations.ts'
import { goneOperations } from './tokens/gone.ts'
import { issueToken } from './tokens/issue.ts'
import { showSigningKeys } from './tokens/jwks.ts'
import { oauth2Token } from './tokens/oauth2.ts'
import { deleteToken, showCatalog, showToken } from './tokens/operations.ts'
import { ec2Tokens, s3Tokens } from './tokens/signed.ts'
import { trustOperations, trustRules } from './trusts/operations.ts'
import { expireTrusts } from './trusts/trust.ts'
import { userOperations } from './users/operations.ts'
import { versionOperations } from './versions.ts'

const upkeep = reconciler({
  id: 'identity.upkeep',
  every: 600_000,
  async run(ctx) {
    await rotateWhenDue(ctx)
    await expireRevocations(ctx)
    await expireTrusts(ctx)
    await expireFederation(ctx)
    await rulesChanged(ctx)
  },
})

const guarded: Operation[] = [
  issueToken,
  showCatalog,
  authProjects,
  authDomains,
  authSystem,
  ...domainResource.operations,
  ...projectResource.operations,
  ...tagOperations,
  ...userOperations,
  listProjectsOfUser,
  ...groupOperations,
  ...roleResource.operations,
  ...impliedRoleOperations,
  ...allGrantOperations,
  listRoleAssignments,
  ...domainConfigOperations,
  ...policyOperations,
  ...identityProviderResource.operations,
  ...protocolOperations,
  ...mappingResource.operations,
  ...serviceProviderResource.operations,
  ...federatedScopes,
  ...consumerOperations,
  ...accessTokenOperations,
  ...endpointGroupOperations,
  ...registeredLimitOperations,
  ...limitOperations,
  ...regionResource.operations,
  putRegion,
  ...serviceResource.operations,
  ...endpointResource.operations,
  ...credentialResource.operations,
  ec2Tokens,
  s3Tokens,
  ...applicationCredentialOperations,
  ...accessRuleOperations,
  listRevocationEvents,
]

const resources: Operation[] = [
  ...guarded.map(hidingAbsence),
  // Of tokens, trusts and EC2 keys, what is missing is a 404 for everybody.
  ...ec2CredentialOperations,
  oauth2Token,
  ...federationOperations,
  ...webssoOperations,
  ...logoutOperations,
  ...issuerLogoutOperations,
  ...goneOperations,
  showToken,
  deleteToken,
  ...trustOperations,
]

export const identityService = service({
  type: 'identity',
  name: 'keystone',
  path: '/identity',
  operations: [...versionOperations(resources), showSigningKeys, ...resources],
  faults: identityFaults,
  rules: [...baseRules, ...domainRoleRules, ...impliedRoleRules, treeRule, ...trustRules, ...domainConfigRules],
  reconcilers: [upkeep, refreshDirectories, tellOfEnds],
  migrations: [
    initial,
    unknownLogins,
    trustTables,
    expiryMicros,
    endpointFiltersPoliciesConsumers,
    unifiedLimits,
    passwordRules,
    federation,
    federatedUsers,
    revocationEvents,
    directories,
    factorCodes,
    severalFederated,
    federatedSessions,
    toldSessions,
  ],
  config: identityConfig,
  contract: identityContract,
  async start(env) {
    await ensureKeys(systemCtx(env))
    const following = followGeneration(env)
    const rules = await followRules(env)
    return {
      async [Symbol.asyncDispose]() {
        await rules[Symbol.asyncDispose]()
        await following[Symbol.asyncDispose]()
        await closeDirectories(env)
      },
    }
  },
})
