/** What a saga began with, given back when it was undone: told in the journal as steps before its first. */
import type { Ctx } from '../context.ts'
import { journal, type SagaRow } from './journal.ts'
import type { UndoClaim } from './saga.ts'

/** In the transaction that ends the saga. */
export function undoingClaims(tx: Ctx, { id, started_at }: SagaRow): UndoClaim {
  const now = () => new Date(tx.clock.now()).toISOString()
  let seq = 0
  return async (name, act) => {
    const undo_started_at = now()
    if ((await act()) === 0) return
    await journal.addStep(tx.db, {
      ...{ saga_id: id, seq: --seq, name, state: 'undone', output: null, error: null },
      ...{ started_at, finished_at: started_at, undo_started_at, undone_at: now() },
    })
  }
}
