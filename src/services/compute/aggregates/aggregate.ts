/** An aggregate: hosts that an operator put together. With an `availability_zone` in its metadata it is a zone that users choose. */

export interface AggregateRow {
  id: number
  /** Also placement's aggregate. */
  uuid: string
  name: string
  metadata: Record<string, string>
  created_at: string
  updated_at: string | null
}

/** An aggregate with its hosts' names. */
export interface Aggregate extends AggregateRow {
  hosts: string[]
}

export const zoneKey = 'availability_zone'

/** The zone of a host, given all aggregates. */
export function zoneOf(host: string, aggregates: readonly Aggregate[], fallback: string): string {
  return (
    aggregates.find(a => a.metadata[zoneKey] !== undefined && a.hosts.includes(host))?.metadata[zoneKey] ?? fallback
  )
}
