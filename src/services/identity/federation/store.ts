/** Users of identity providers, the groups that their last login put them in, and SAML assertions that were used up. */
import { sql } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { rows } from '#kernel/db/rows.ts'

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

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_federated_users: FederatedUser
    identity_federated_memberships: FederatedMembership
    identity_used_assertions: UsedAssertion
  }
}

export const federatedUsers = rows<FederatedUser>('identity_federated_users')
export const federatedMemberships = rows<FederatedMembership>('identity_federated_memberships')
export const usedAssertions = rows<UsedAssertion>('identity_used_assertions')

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
