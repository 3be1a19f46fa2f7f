/** Everything that can be done with servers. */
import type { Operation } from '#kernel/operation.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { anySaga, type Saga } from '#kernel/saga/saga.ts'
import { adminOperations, crashDump, injectNetworkInfo } from './admin-actions.ts'
import { forcedHost, requestedDestination } from './build-request.ts'
import { bundleOperations } from './bundles/operations.ts'
import { changePassword } from './change-password.ts'
import { createServer } from './create.ts'
import { createBackup } from './create-backup.ts'
import { createImage } from './create-image.ts'
import { createSaga } from './create-saga.ts'
import { restore, softDeleteSaga } from './deferred-delete.ts'
import { deleteSaga, deleteServer, forceDelete } from './delete.ts'
import { chooseDestinations } from './destinations.ts'
import { explainServer } from './explanation.ts'
import { guestPasswordOperations } from './guest-password.ts'
import { guestOperations } from './guest-view.ts'
import { guestAgentOperations } from './guest-works/operations.ts'
import { guestWorkSagas } from './guest-works/run.ts'
import { zeroDiskFlavor } from './image-of-server.ts'
import { instanceActionOperations, instanceActionRules } from './instance-actions.ts'
import { interfaceOperations, interfaceSagas } from './interfaces.ts'
import { ipOperations } from './ips.ts'
import { listOperations, listRules } from './list.ts'
import { allFilters } from './list-query.ts'
import { lockOperations, unlockOverride } from './lock.ts'
import { maintenanceOperations } from './maintenance/operations.ts'
import { maintenanceSaga } from './maintenance/saga.ts'
import { metadataOperations } from './metadata.ts'
import { confirmResize, revertResize } from './moves/decide.ts'
import { evacuate } from './moves/evacuate.ts'
import { moveListOperations, moveListRules } from './moves/list.ts'
import { liveRules, migrateLive, serverMigrationOperations } from './moves/live.ts'
import { migrateEither } from './moves/migration.ts'
import { migrate, moveRules, resize } from './moves/resize.ts'
import { shelve, shelveOffload } from './moves/shelve.ts'
import { tidySaga } from './moves/tidy.ts'
import { unshelve, unshelveRules } from './moves/unshelve.ts'
import { networkProxyOperations } from './network-proxies.ts'
import { placeSaga } from './placing-later.ts'
import { planSaga } from './plan.ts'
import { powerActions } from './power.ts'
import { reboot } from './reboot.ts'
import { rebuild, rebuildRules } from './rebuild.ts'
import { remoteConsoleOperations } from './remote-consoles.ts'
import { rescue, rescueSagas, unrescue } from './rescue.ts'
import { showServer } from './show.ts'
import { softwareOperations } from './software/operations.ts'
import { softwareSaga } from './software/run.ts'
import { tagOperations } from './tags.ts'
import { serverTopology, topologyHost } from './topology.ts'
import { updateServer } from './update.ts'
import { viewRules } from './view.ts'
import { volumeAttachmentOperations, volumeAttachmentRules } from './volume-attachments.ts'
import { volumeSagas } from './volume-sagas.ts'

const actions = [
  ...powerActions,
  reboot,
  crashDump,
  createImage,
  createBackup,
  injectNetworkInfo,
  rebuild,
  rescue,
  unrescue,
  resize,
  migrate,
  revertResize,
  migrateLive,
  evacuate,
  shelve,
  shelveOffload,
  unshelve,
  restore,
]

export const serverOperations: Operation[] = [
  createServer,
  ...listOperations,
  showServer,
  updateServer,
  deleteServer,
  forceDelete,
  explainServer,
  chooseDestinations,
  ...actions.map(action => action.operation),
  confirmResize,
  migrateEither,
  changePassword,
  ...volumeAttachmentOperations,
  ...serverMigrationOperations,
  ...moveListOperations,
  ...maintenanceOperations,
  ...bundleOperations,
  ...lockOperations,
  ...guestOperations,
  ...guestPasswordOperations,
  ...remoteConsoleOperations,
  ...adminOperations,
  ...networkProxyOperations,
  serverTopology,
  ...metadataOperations,
  ...tagOperations,
  ...ipOperations,
  ...interfaceOperations,
  ...softwareOperations,
  ...guestAgentOperations,
  ...instanceActionOperations,
]

export const serverSagas: Saga[] = [
  anySaga(createSaga),
  anySaga(planSaga),
  anySaga(placeSaga),
  anySaga(deleteSaga),
  anySaga(softDeleteSaga),
  anySaga(tidySaga),
  anySaga(maintenanceSaga),
  anySaga(softwareSaga),
  ...guestWorkSagas,
  ...actions.map(action => action.saga),
  ...interfaceSagas,
  ...rescueSagas,
  ...volumeSagas,
]

/** Rules that handlers check. */
export const serverRules: Rule[] = [
  ...viewRules,
  ...rebuildRules,
  ...moveRules,
  ...unshelveRules,
  ...moveListRules,
  ...liveRules,
  topologyHost,
  ...listRules,
  ...instanceActionRules,
  ...volumeAttachmentRules,
  allFilters,
  unlockOverride,
  forcedHost,
  requestedDestination,
  zeroDiskFlavor,
]
