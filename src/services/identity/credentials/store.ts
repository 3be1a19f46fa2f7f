/** Credentials (EC2 keys, TOTP seeds …), encrypted. */
import { rows } from '#kernel/db/rows.ts'

export interface CredentialRow {
  id: string
  type: string
  user_id: string
  project_id: string | null
  encrypted_blob: string
  extra: Record<string, unknown>
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_credentials: CredentialRow
  }
}

export const credentials = rows<CredentialRow>('identity_credentials', { json: ['extra'] })
