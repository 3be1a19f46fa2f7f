/** What outside sources say of whole places, such as a row whose cooling fails. It counts until it is taken back. */
import { rows } from '#kernel/db/rows.ts'
import type { SaidSignal } from '../host-signals/store.ts'

export interface PlaceSignalRow extends SaidSignal {
  level: string
  place: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_place_signals: PlaceSignalRow
  }
}

export const placeSignals = rows<PlaceSignalRow>('compute_place_signals', { json: ['value'] })
