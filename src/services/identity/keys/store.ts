/** Keys in the database, so that all processes share them. */
import { rows } from '#kernel/db/rows.ts'

export interface KeyRow {
  /** `token` (Fernet), `jws` (signed tokens) or `credential`. */
  purpose: string
  number: number
  /** The next primary is `staged` first, so that every process knows it before anyone uses it; a former one is `secondary`. */
  state: 'staged' | 'primary' | 'secondary'
  /** Base64 of 32 bytes. */
  secret: string
  created_at: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_keys: KeyRow
  }
}

export const keys = rows<KeyRow>('identity_keys')
