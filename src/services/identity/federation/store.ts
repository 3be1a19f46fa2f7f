/** Users of identity providers, the groups that their last login put them in, and SAML assertions that were used up. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'
import type { Claims } from '../tokens/token.ts'

/** Which user here somebody is whom an identity provider knows. Logins make one for each user; the API may make more. */
export interface FederatedUser {
  idp_id: string
  protocol_id: string
  /** By what the mapping tells the provider's users apart. */
  unique_id: string
  user_id: string
}

export interface FederatedMembership {
  user_id: string
  group_id: string
  /** Milliseconds since the epoch. */
  valid_until: number
}

export interface UsedAssertion {
  id: string
  /** From then on it would be refused anyway. */
  expires_at: number
}

/** A person as a provider names it: of SAML with the attributes of its NameID. */
export interface SubjectName {
  text: string
  Format?: string
  NameQualifier?: string
  SPNameQualifier?: string
}

/** A login at a provider. */
export interface ProviderSession {
  subject: SubjectName
  /** Empty when the provider does not tell logins of a subject apart. */
  index: string
}

/** A login here by a provider, as long as its token is good. */
export interface FederatedSession {
  /** The audit id of the token; of a login that needed more, that which its tokens go back to. */
  id: string
  idp_id: string
  protocol_id: string
  /** Of the subject's text: that may be long. */
  subject_hash: string
  subject: SubjectName
  session_index: string
  expires_at: number
}

/** What another cloud was told of the bearer of a token, as long as that token is good. */
export interface ToldSession {
  /** As the assertions call it: the same in all that are made of the token for that cloud. */
  id: string
  service_provider_id: string
  /** Empty for those of earlier versions. */
  user_id: string
  subject: string
  claims: Claims
  expires_at: number
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_federated_users: FederatedUser
    identity_federated_memberships: FederatedMembership
    identity_used_assertions: UsedAssertion
    identity_federated_sessions: FederatedSession
    identity_told_sessions: ToldSession
  }
}

export const federatedUsers = rows<FederatedUser>('identity_federated_users')
export const federatedMemberships = rows<FederatedMembership>('identity_federated_memberships')
export const usedAssertions = rows<UsedAssertion>('identity_used_assertions')
export const federatedSessions = rows<FederatedSession>('identity_federated_sessions', { json: ['subject'] })
export const toldSessions = rows<ToldSession>('identity_told_sessions', { json: ['claims'] })

/** Refuses the tokens of all who log in by one of the protocols of an identity provider. */
export async function endTokensOf(
  db: Db,
  { idp_id, protocol_id }: { idp_id: string; protocol_id?: string },
  tokensAfter: number,
): Promise<void> {
  const only = protocol_id === undefined ? sql`` : sql` and protocol_id = ${protocol_id}`
  await sql`
    update identity_users set tokens_after = ${tokensAfter}
    where id in (select user_id from identity_federated_users where idp_id = ${idp_id}${only})
  `.execute(db)
}
