/** Networks: rows and queries. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Ctx } from '#kernel/context.ts'
import type { Db } from '#kernel/db/database.ts'
import { type AnyBuilder, rows } from '#kernel/db/rows.ts'
import { addWhere, matching, placeholder, run, statement } from '#kernel/db/statement.ts'
import type { StandardRow } from '#kernel/standard-row.ts'
import type { RbacAction } from '../rbac/store.ts'

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

/** Networks that were given to the project or to all. */
const given = (projectId: string) =>
  sql`select object_id from network_rbac_policies where target_tenant in ('*', ${projectId})`

/** Networks that a project may make ports on though they are not its own. */
export const sharedWith = (projectId: string): Expression<SqlBool> =>
  sql<SqlBool>`id in (${given(projectId)} and action = 'access_as_shared')`

/** Networks that a project may see: its own and those that were given to it, or to all. */
export function visibleNetworks(ctx: Ctx, eb: AnyBuilder): Expression<SqlBool> {
  const projectId = ctx.identity.project_id ?? ''
  return eb.or([eb('project_id', '=', projectId), sql<SqlBool>`id in (${given(projectId)})`])
}

/** As much of a network as the things on it have to do with. */
export type NetworkFacts = Pick<NetworkRow, 'id' | 'project_id' | 'external' | 'dns_domain'>

/** Networks by id, each with what was given of it to a project or to all. */
export async function networksWithGrants(
  db: Db,
  ids: string[],
  projectId: string,
): Promise<(NetworkFacts & { actions: RbacAction[] })[]> {
  if (ids.length === 0) return []
  const s = statement(
    db,
    'select n.*, r.action from (select id, project_id, external, dns_domain from network_networks',
  )
  addWhere(s, matching(s, { id: ids }))
  const project = placeholder(s, projectId)
  s.text += `) n left join network_rbac_policies r on r.object_id = n.id and r.target_tenant in ('*', ${project})`
  const found = await run<Omit<NetworkFacts, 'external'> & { external: number; action: RbacAction | null }>(db, s)
  return [...Map.groupBy(found.rows, row => row.id).values()].map(grants => {
    const { id, project_id, external, dns_domain } = grants[0]!
    return { id, project_id, external: external !== 0, dns_domain, actions: grants.flatMap(row => row.action ?? []) }
  })
}

/** For other tables: rows whose network belongs to the caller's project. */
export function ofOwnNetwork(ctx: Ctx): Expression<SqlBool> {
  return sql<SqlBool>`network_id in (select id from network_networks where project_id = ${ctx.identity.project_id ?? ''})`
}

/** For other tables: rows whose network was given to the caller's project or to all. */
export function ofOpenNetwork(ctx: Ctx): Expression<SqlBool> {
  return sql<SqlBool>`network_id in (${given(ctx.identity.project_id ?? '')})`
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
