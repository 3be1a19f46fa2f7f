/** Rows of custom traits. The standard ones are a list in the code. */
import { rows } from '#kernel/db/rows.ts'

export interface TraitRow {
  name: string
  created_at: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    placement_traits: TraitRow
  }
}

export const customTraits = rows<TraitRow>('placement_traits')
