/** Everything that can be done with servers. */
import type { Operation } from '#kernel/operation.ts'
import type { Rule } from '#kernel/policy/rule.ts'
import { anySaga, type Saga } from '#kernel/saga/saga.ts'
import { forcedHost, requestedDestination } from './build-request.ts'
import { createServer } from './create.ts'
import { createSaga } from './create-saga.ts'
import { deleteSaga, deleteServer, forceDelete } from './delete.ts'
import { explainServer } from './explanation.ts'
import { zeroDiskFlavor } from './image-of-server.ts'
import { listOperations, listRules } from './list.ts'
import { allFilters } from './list-query.ts'
import { powerActions } from './power.ts'
import { showServer } from './show.ts'
import { updateServer } from './update.ts'
import { viewRules } from './view.ts'

const actions = [...powerActions]

export const serverOperations: Operation[] = [
  createServer,
  ...listOperations,
  showServer,
  updateServer,
  deleteServer,
  forceDelete,
  explainServer,
  ...actions.map(action => action.operation),
]

export const serverSagas: Saga[] = [anySaga(createSaga), anySaga(deleteSaga), ...actions.map(action => action.saga)]

/** Rules that handlers check. */
export const serverRules: Rule[] = [
  ...viewRules,
  ...listRules,
  allFilters,
  forcedHost,
  requestedDestination,
  zeroDiskFlavor,
]
