/** Key pairs in the database. */
import { rows } from '#kernel/db/rows.ts'
import type { KeypairRow } from './keypair.ts'

type NewKeypair = Omit<KeypairRow, 'id'>

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_keypairs: KeypairRow
  }
}

export const keypairs = rows<KeypairRow>('compute_keypairs')

/** For rows whose id the database gives. */
export const newKeypairs = rows<NewKeypair>('compute_keypairs')
