/** Identity providers, the names that they call themselves by, and the protocols that they are spoken to in. */
import { rows } from '#kernel/db/rows.ts'

export interface IdentityProviderRow {
  id: string
  enabled: boolean
  description: string | null
  /** Where its users live. */
  domain_id: string
  /** Minutes for which a user stays in the groups that it was mapped to; null: the cloud's own. */
  authorization_ttl: number | null
  extra: Record<string, unknown>
}

export interface RemoteId {
  remote_id: string
  idp_id: string
  position: number
}

export interface ProtocolRow {
  idp_id: string
  id: string
  mapping_id: string
  remote_id_attribute: string | null
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_identity_providers: IdentityProviderRow
    identity_remote_ids: RemoteId
    identity_protocols: ProtocolRow
  }
}

export const identityProviders = rows<IdentityProviderRow>('identity_identity_providers', {
  json: ['extra'],
  bool: ['enabled'],
})
export const remoteIds = rows<RemoteId>('identity_remote_ids')
export const protocols = rows<ProtocolRow>('identity_protocols')
