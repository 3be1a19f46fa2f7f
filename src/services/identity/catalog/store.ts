/** Regions, services and endpoints. */
import { rows } from '#kernel/db/rows.ts'

export interface RegionRow {
  id: string
  description: string
  parent_region_id: string | null
  extra: Record<string, unknown>
}

export interface ServiceRow {
  id: string
  type: string
  name: string | null
  description: string | null
  enabled: boolean
  extra: Record<string, unknown>
}

export interface EndpointRow {
  id: string
  service_id: string
  region_id: string | null
  interface: 'public' | 'internal' | 'admin'
  /** Absolute, or `%(base)s` and a path: then it is at the address by which the caller reached us. */
  url: string
  enabled: boolean
  extra: Record<string, unknown>
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    identity_regions: RegionRow
    identity_services: ServiceRow
    identity_endpoints: EndpointRow
  }
}

export const regions = rows<RegionRow>('identity_regions', { json: ['extra'] })
export const services = rows<ServiceRow>('identity_services', { json: ['extra'], bool: ['enabled'] })
export const endpoints = rows<EndpointRow>('identity_endpoints', { json: ['extra'], bool: ['enabled'] })
