/** Aggregates in the database, with their hosts. */
import type { Expression, SqlBool } from 'kysely'
import type { Db } from '#kernel/db/database.ts'
import { type AnyBuilder, rows } from '#kernel/db/rows.ts'
import type { Aggregate, AggregateRow } from './aggregate.ts'

interface AggregateHostRow {
  aggregate_id: number
  host: string
}

declare module '#kernel/db/database.ts' {
  interface Tables {
    compute_aggregates: AggregateRow
    compute_aggregate_hosts: AggregateHostRow
  }
}

export const aggregates = rows<AggregateRow>('compute_aggregates', { json: ['metadata'] })
/** For rows whose id the database gives. */
export const newAggregates = rows<Omit<AggregateRow, 'id'>>('compute_aggregates', { json: ['metadata'] })
export const aggregateHosts = rows<AggregateHostRow>('compute_aggregate_hosts')

/** Hosts that are in one of the aggregates, or in none of them. */
export function memberCondition(eb: AnyBuilder, ids: readonly number[], isMember: boolean): Expression<SqlBool> {
  const members = eb.selectFrom('compute_aggregate_hosts').select('host').where('aggregate_id', 'in', ids)
  return eb('name', isMember ? 'in' : 'not in', members)
}

/** All aggregates, oldest first. */
export async function allAggregates(db: Db): Promise<Aggregate[]> {
  const found = await aggregates.list(db, {}, { orderBy: [{ column: 'id', direction: 'asc' }] })
  const hosts = await aggregateHosts.list(db, {}, { orderBy: [{ column: 'host', direction: 'asc' }] })
  const byId = Map.groupBy(hosts, row => row.aggregate_id)
  return found.map(row => ({ ...row, hosts: (byId.get(row.id) ?? []).map(({ host }) => host) }))
}

/** What the aggregates of these hosts say, oldest first: one entry for each host in each of them. */
export async function aggregatesOf(
  db: Db,
  hosts: readonly string[],
): Promise<(Pick<AggregateRow, 'metadata'> & { host: string })[]> {
  const members = await aggregateHosts.list(db, { host: hosts })
  const found = await aggregates.list(
    db,
    { id: [...new Set(members.map(row => row.aggregate_id))] },
    { orderBy: [{ column: 'id', direction: 'asc' }] },
  )
  const hostsOf = Map.groupBy(members, row => row.aggregate_id)
  return found.flatMap(({ id, metadata }) => (hostsOf.get(id) ?? []).map(({ host }) => ({ host, metadata })))
}
