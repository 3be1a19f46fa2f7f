/** OAuth1: programs that act for users, and what users let them do. */
import { rows } from '#kernel/db/rows.ts'

export interface ConsumerRow {
  id: string
  description: string | null
  encrypted_secret: string
  extra: Record<string, unknown>
}

/** What a program asks of a user, until the user has said yes and it has fetched its access token. */
export interface RequestTokenRow {
  id: string
  consumer_id: string
  project_id: string
  encrypted_secret: string
  /** Told to the user who said yes, and by the user to the program. */
  verifier: string | null
  user_id: string | null
  role_ids: string[]
  expires_at: number | null
}

export interface AccessTokenRow {
  id: string
  consumer_id: string
  project_id: string
  encrypted_secret: string
  user_id: string
  role_ids: string[]
  expires_at: number | null
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_consumers: ConsumerRow
    identity_request_tokens: RequestTokenRow
    identity_access_tokens: AccessTokenRow
  }
}

export const consumers = rows<ConsumerRow>('identity_consumers', { json: ['extra'] })
export const requestTokens = rows<RequestTokenRow>('identity_request_tokens', { json: ['role_ids'] })
export const accessTokens = rows<AccessTokenRow>('identity_access_tokens', { json: ['role_ids'] })
