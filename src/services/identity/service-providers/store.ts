/** Service providers: other clouds that our users may go to. */
import { rows } from '#kernel/db/rows.ts'

export interface ServiceProviderRow {
  id: string
  enabled: boolean
  description: string | null
  auth_url: string
  sp_url: string
  relay_state_prefix: string
  extra: Record<string, unknown>
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_service_providers: ServiceProviderRow
  }
}

export const serviceProviders = rows<ServiceProviderRow>('identity_service_providers', {
  json: ['extra'],
  bool: ['enabled'],
})
