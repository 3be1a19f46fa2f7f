/** Rules about how much goes on with a host: servers, and those of them that are being built, copied or moved. */
import { aggregateValues } from './aggregate-filters.ts'
import type { Filter, FilterSettings } from './filters.ts'
import type { HostState } from './scheduler.ts'

type Limit = 'max_instances_per_host' | 'max_io_ops_per_host'

/** The least that an aggregate says; else what the configuration does. */
function aggregateLimit(host: HostState, limit: Limit, settings: FilterSettings): number {
  const said = aggregateValues(host, limit).filter(value => /^\d+$/.test(value))
  return said.length > 0 ? Math.min(...said.map(Number)) : settings[limit]
}

const below = (had: number, limit: number, what: string) =>
  had < limit ? undefined : { asked: `fewer than ${limit} ${what}`, had: String(had) }

export const numInstancesFilter: Filter = (host, _request, settings) =>
  below(host.servers, settings.max_instances_per_host, 'servers')

export const aggregateNumInstancesFilter: Filter = (host, _request, settings) =>
  below(host.servers, aggregateLimit(host, 'max_instances_per_host', settings), 'servers')

export const ioOpsFilter: Filter = (host, _request, settings) =>
  below(host.io_ops, settings.max_io_ops_per_host, 'servers being built, copied or moved')

export const aggregateIoOpsFilter: Filter = (host, _request, settings) =>
  below(host.io_ops, aggregateLimit(host, 'max_io_ops_per_host', settings), 'servers being built, copied or moved')
