/** Networks: rows and queries. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { type AnyBuilder, rows } from '#kernel/db/rows.ts'
import type { StandardRow } from '#kernel/resource.ts'

export interface NetworkRow extends StandardRow {
  name: string
  admin_state_up: boolean
  status: 'ACTIVE' | 'DOWN'
  shared: boolean
  external: boolean
  is_default: boolean
  mtu: number
  port_security_enabled: boolean
  network_type: 'vxlan' | 'flat' | 'vlan' | 'local'
  physical_network: string | null
  segmentation_id: number | null
  segment_key: string
  /** The network's number on every host; for a tunnelled one that of its tunnel. */
  segment: number
  dns_domain: string
  availability_zone_hints: string[]
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    network_networks: NetworkRow
  }
}

export const networkRows = rows<NetworkRow>('network_networks', {
  json: ['tags', 'availability_zone_hints'],
  bool: ['admin_state_up', 'shared', 'external', 'is_default', 'port_security_enabled'],
})

/** Networks that a project may see: its own, shared ones and those that lead outside. */
export function visibleNetworks(ctx: Ctx, eb: AnyBuilder): Expression<SqlBool> {
  return eb.or([
    eb('project_id', '=', ctx.identity.project_id ?? ''),
    eb('shared', '=', true),
    eb('external', '=', true),
  ])
}

/** For other tables: rows whose network belongs to the caller's project. */
export function ofOwnNetwork(ctx: Ctx): Expression<SqlBool> {
  return sql<SqlBool>`network_id in (select id from network_networks where project_id = ${ctx.identity.project_id ?? ''})`
}

/** For other tables: rows whose network is shared with everyone or leads outside. */
export function ofOpenNetwork(): Expression<SqlBool> {
  return sql<SqlBool>`network_id in (select id from network_networks where shared = 1 or external = 1)`
}

/** The least number from `first` to `last` that no network has; undefined when all are taken. Call it under a lock. */
export async function freeSegment(db: Db, first: number, last: number): Promise<number | undefined> {
  const taken = await sql<{ segment: number }>`select segment from network_networks where segment = ${first}`.execute(
    db,
  )
  if (taken.rows.length === 0) return first
  const gap = await sql<{ next: number | null }>`
    select min(n.segment) + 1 as next from network_networks n
    where n.segment >= ${first} and n.segment < ${last}
      and not exists (select 1 from network_networks m where m.segment = n.segment + 1)`.execute(db)
  return gap.rows[0]?.next ?? undefined
}
