/** What outside sources say of whole places, such as a row whose cooling fails. It counts until it is taken back. */
import type { Ctx } from '#kernel/context.ts'
import { rows } from '#kernel/db/rows.ts'
import type { SignalValue } from '../host-signals/store.ts'

export interface PlaceSignalRow {
  level: string
  place: string
  name: string
  value: SignalValue
  reported_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_place_signals: PlaceSignalRow
  }
}

export const placeSignals = rows<PlaceSignalRow>('compute_place_signals', { json: ['value'] })

/** Says the named ones anew; null takes one back. Others stay. In a transaction. */
export async function putPlaceSignals(
  ctx: Ctx,
  at: { level: string; place: string },
  said: Record<string, SignalValue | null>,
): Promise<void> {
  const reported_at = new Date(ctx.clock.now()).toISOString()
  await placeSignals.remove(ctx.db, { ...at, name: Object.keys(said) })
  const kept = Object.entries(said).flatMap(([name, value]) =>
    value === null ? [] : { ...at, name, value, reported_at },
  )
  await placeSignals.insertMany(ctx.db, kept)
}
