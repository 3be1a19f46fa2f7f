/** The net under sagas: takes up what the journal has unfinished and nobody runs, because a message was lost or the engine failed. */
import { reconciler } from '../reconcile.ts'

export const unfinishedSagas = reconciler({
  id: 'kernel.unfinished-sagas',
  every: 5_000,
  run: ctx => ctx.sagas.recover(),
})
