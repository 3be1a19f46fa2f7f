/** Compute (Nova): servers, and the hosts that run them. */
import type { Operation } from '#kernel/operation.ts'
import { anySaga } from '#kernel/saga/saga.ts'
import { type Service, service } from '#kernel/service.ts'
import { admitRequest } from './admission.ts'
import { agentBuildOperations } from './agent-builds/operations.ts'
import { cacheImagesSaga } from './aggregates/cache-images.ts'
import { aggregateOperations } from './aggregates/operations.ts'
import { assistedSnapshotOperations } from './assisted-snapshots/operations.ts'
import { cellOperations } from './cells/operations.ts'
import { computeConfig } from './config.ts'
import { websocketPath } from './consoles/console.ts'
import { consoleOperations } from './consoles/operations.ts'
import { consolePages } from './consoles/pages.ts'
import { consoleUpgrade, followSerialConsoles } from './consoles/proxy.ts'
import { computeContract } from './contract.ts'
import { serveComputeControl } from './control.ts'
import { dedicatedHostOperations } from './dedicated-hosts/operations.ts'
import { noQuery } from './dialect.ts'
import { extended } from './extended.ts'
import { externalEventOperations } from './external-events/operations.ts'
import { computeFaults } from './faults.ts'
import { fencingOperations } from './fencing/operations.ts'
import { fencingSaga, oldFencings } from './fencing/steps.ts'
import { flavorOperations } from './flavors/operations.ts'
import { hostSignalOperations } from './host-signals/operations.ts'
import { baremetalOperations } from './hosts/baremetal.ts'
import { hostsHealth } from './hosts/health.ts'
import { hypervisorOperations } from './hosts/hypervisors.ts'
import { hostOperations } from './hosts/os-hosts.ts'
import { serviceOperations } from './hosts/services.ts'
import { zoneOperations } from './hosts/zones.ts'
import { imageProxyOperations } from './image-proxies/operations.ts'
import { keptFilesOperations } from './kept-files/operations.ts'
import { keptImageSaga } from './kept-files/steps.ts'
import { keypairOperations, keypairRules } from './keypairs/operations.ts'
import { limitOperations, limitRules } from './limits/operations.ts'
import { microversions } from './microversions.ts'
import { initial } from './migrations/0001-initial.ts'
import { hostsAndFlavors } from './migrations/0002-hosts-and-flavors.ts'
import { guestPasswordsAndConsoles } from './migrations/0003-guest-passwords-and-consoles.ts'
import { usageAudits } from './migrations/0004-usage-audits.ts'
import { moves } from './migrations/0005-moves.ts'
import { hostSignalsTable } from './migrations/0006-host-signals.ts'
import { blockDevices } from './migrations/0007-block-devices.ts'
import { placeSignalsTable } from './migrations/0008-place-signals.ts'
import { rooms } from './migrations/0009-rooms.ts'
import { rateLimitsTable } from './migrations/0010-rate-limits.ts'
import { dedicatedHosts } from './migrations/0011-dedicated-hosts.ts'
import { diskKeys } from './migrations/0012-disk-keys.ts'
import { flavorNumbers } from './migrations/0013-flavor-numbers.ts'
import { maintenances } from './migrations/0014-maintenances.ts'
import { deletedDisks } from './migrations/0015-deleted-disks.ts'
import { diskAmounts } from './migrations/0016-disk-amounts.ts'
import { numberAllFlavors } from './migrations/0017-number-all-flavors.ts'
import { fencings } from './migrations/0018-fencings.ts'
import { listIndex } from './migrations/0019-list-index.ts'
import { software } from './migrations/0020-software.ts'
import { bundlesAndLinks } from './migrations/0021-bundles.ts'
import { guestWorks } from './migrations/0022-guest-works.ts'
import { buildRequestsTable } from './migrations/0023-build-requests.ts'
import { extensionValues } from './migrations/0024-extension-values.ts'
import { agentBuilds } from './migrations/0025-agent-builds.ts'
import { silentAgents } from './migrations/0026-silent-agents.ts'
import { networkOperationsOfCompute } from './network-proxies/networks.ts'
import { securityGroupOperations } from './network-proxies/security-groups.ts'
import { computeNotifications } from './notifications/notification.ts'
import { markOutdated } from './outdated.ts'
import { placeOperations } from './places/operations.ts'
import { quotaOperations } from './quotas/operations.ts'
import { usedRateLimits } from './rate-limits/admission.ts'
import { orphanClaims } from './reconcilers/claims.ts'
import { hostCleanups } from './reconcilers/cleanups.ts'
import { follow, guestChanged, guestsReported } from './reconcilers/guests.ts'
import { usageAuditing } from './reconcilers/usage-audits.ts'
import { checkDeviceSettings } from './rooms/settings.ts'
import { schedulerHintOperations } from './scheduler-hints/operations.ts'
import { loadSchedulerModules } from './scheduler-modules.ts'
import { serverGroupOperations, serverGroupRules } from './server-groups/operations.ts'
import { reclaims } from './servers/delete.ts'
import { expiredDisks } from './servers/deleted-disks.ts'
import { agentBuildOffers } from './servers/guest-works/offers.ts'
import { guestWorkRuns } from './servers/guest-works/run.ts'
import { oldMaintenances } from './servers/maintenance/old.ts'
import { evacuatedSources } from './servers/moves/evacuate.ts'
import { highAvailability } from './servers/moves/high-availability.ts'
import { lostAsides, oldMoves, orphanMoves, unconfirmedResizes } from './servers/moves/reconcilers.ts'
import { shelvedOffloads } from './servers/moves/shelve.ts'
import { serverOperations, serverRules, serverSagas } from './servers/operations.ts'
import { shareOperations } from './servers/shares.ts'
import { softwareRuns } from './servers/software/run.ts'
import { usageAuditOperations } from './usage-audits/operations.ts'
import { usageOperations } from './usages/operations.ts'
import { versionOperations } from './versions/operations.ts'
import { volumesBootOperations } from './versions/volumes-boot.ts'
import { volumeProxyOperations } from './volume-proxies/operations.ts'

export const computeService: Service = service({
  type: 'compute',
  name: 'nova',
  path: '/compute',
  microversions,
  strictSlashes: true,
  requestIdHeader: 'x-compute-request-id',
  operations: strict([
    ...versionOperations,
    ...serverOperations,
    ...shareOperations,
    ...volumesBootOperations(serverOperations),
    ...flavorOperations,
    ...keypairOperations,
    ...serviceOperations,
    ...hostOperations,
    ...hypervisorOperations,
    ...zoneOperations,
    ...aggregateOperations,
    ...serverGroupOperations,
    ...schedulerHintOperations,
    ...hostSignalOperations,
    ...fencingOperations,
    ...keptFilesOperations,
    ...agentBuildOperations,
    ...placeOperations,
    ...cellOperations,
    ...dedicatedHostOperations,
    ...quotaOperations,
    ...limitOperations,
    ...usageOperations,
    ...usageAuditOperations,
    ...assistedSnapshotOperations,
    ...baremetalOperations,
    ...externalEventOperations({ follow }),
    ...imageProxyOperations,
    ...networkOperationsOfCompute,
    ...securityGroupOperations,
    ...volumeProxyOperations,
    ...consoleOperations,
  ]),
  rules: [...serverRules, ...keypairRules, ...serverGroupRules, ...limitRules],
  faults: computeFaults,
  sagas: [...serverSagas, anySaga(cacheImagesSaga), anySaga(fencingSaga), anySaga(keptImageSaga)],
  reconcilers: [
    hostCleanups,
    orphanClaims,
    oldMoves,
    orphanMoves,
    lostAsides,
    evacuatedSources,
    highAvailability,
    unconfirmedResizes,
    shelvedOffloads,
    reclaims,
    expiredDisks,
    oldMaintenances,
    softwareRuns,
    guestWorkRuns,
    agentBuildOffers,
    oldFencings,
    usageAuditing,
    usedRateLimits,
  ],
  migrations: [
    initial,
    hostsAndFlavors,
    guestPasswordsAndConsoles,
    usageAudits,
    moves,
    hostSignalsTable,
    blockDevices,
    placeSignalsTable,
    rooms,
    rateLimitsTable,
    dedicatedHosts,
    diskKeys,
    flavorNumbers,
    maintenances,
    deletedDisks,
    diskAmounts,
    numberAllFlavors,
    fencings,
    listIndex,
    software,
    bundlesAndLinks,
    guestWorks,
    buildRequestsTable,
    extensionValues,
    agentBuilds,
    silentAgents,
  ],
  config: computeConfig,
  configured: config => extended(computeService, config),
  contract: computeContract,
  upgrades: { [websocketPath]: consoleUpgrade },
  pages: consolePages,
  relaxed: path => path.startsWith('/v2/'),
  rewrite: todaysPath,
  root: path => versionAndProject.exec(path)?.[0] ?? '',
  admit: admitRequest,
  notifications: computeNotifications,
  health: [hostsHealth],
  async start(env) {
    checkDeviceSettings(env)
    await loadSchedulerModules(env)
    return followSerialConsoles(env)
  },
  control: async env => serveComputeControl(env, { reported: guestsReported, changed: guestChanged }),
})

const versionAndProject =
  /^\/v2(?:\.1)?(?:\/(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}))?(?=\/|\?|$)/

/** `/v2/…` is the API from before microversions; before 2.18 the project's id is the first part of every path, later it may be. */
function todaysPath(path: string): string {
  return /^\/v2\/?(?:\?|$)/.test(path) ? path : path.replace(versionAndProject, '/v2.1')
}

/** Parameters that nobody knows are refused everywhere from 2.102 on; what has a successor is marked. */
function strict(operations: readonly Operation[]): Operation[] {
  return markOutdated(operations).map(one => (one.method === 'GET' && !one.query ? { ...one, query: noQuery } : one))
}
