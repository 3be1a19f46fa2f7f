/** All hosts at once: as the scheduler weighs them, and as the zones that users choose. */
import type { Ctx } from '#kernel/context.ts'
import { type Aggregate, zoneOf } from '../aggregates/aggregate.ts'
import { allAggregates } from '../aggregates/store.ts'
import { computeConfig } from '../config.ts'
import { isUp } from './host.ts'
import { hosts, inOrder } from './store.ts'

/** A host as the scheduler sees it. */
export interface SchedulableHost {
  host: string
  /** The hypervisor's name. */
  node: string
  /** Its resource provider. */
  provider: string
  zone: string
  enabled: boolean
  disabled_reason: string | null
  up: boolean
  arch: string
  hypervisor_type: string
  hypervisor_version: number
  /** What is left with the allocation ratios, for weighing; placement alone says whether something fits. */
  free_vcpus: number
  free_ram_mb: number
  /** Metadata of the host's aggregates; a key may have a value in each. */
  aggregate_metadata: Record<string, string[]>
}

/** Hosts for the scheduler: all of them, or those of some providers. */
export async function hostsForScheduling(ctx: Ctx, providers?: readonly string[]): Promise<SchedulableHost[]> {
  const { hosts: ratios, default_availability_zone } = ctx.config.of(computeConfig)
  const rows = await hosts.list(ctx.db, providers ? { provider_uuid: providers } : {}, inOrder)
  const aggregates = await allAggregates(ctx.db)
  const found: SchedulableHost[] = []
  for (const row of rows) {
    const used = await ctx.services.placement.usagesOf(ctx, row.provider_uuid)
    const { facts } = row
    found.push({
      host: row.name,
      node: facts.hypervisor_hostname,
      provider: row.provider_uuid,
      zone: zoneOf(row.name, aggregates, default_availability_zone),
      enabled: !row.disabled,
      disabled_reason: row.disabled_reason,
      up: isUp(ctx, row),
      arch: facts.cpu_info.arch,
      hypervisor_type: facts.hypervisor_type,
      hypervisor_version: facts.hypervisor_version,
      free_vcpus: facts.vcpus * ratios.cpu_allocation_ratio - (used.VCPU ?? 0),
      free_ram_mb: (facts.memory_mb - ratios.reserved_memory_mb) * ratios.ram_allocation_ratio - (used.MEMORY_MB ?? 0),
      aggregate_metadata: metadataOf(row.name, aggregates),
    })
  }
  return found
}

function metadataOf(host: string, aggregates: readonly Aggregate[]): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  for (const { hosts, metadata } of aggregates) {
    if (!hosts.includes(host)) continue
    for (const [key, value] of Object.entries(metadata)) found[key] = [...(found[key] ?? []), value]
  }
  return found
}

export interface Zone {
  name: string
  /** True when one of its hosts is enabled. */
  available: boolean
  hosts: { name: string; up: boolean; enabled: boolean; last_seen: string }[]
}

/** Zones by name, each with its hosts. */
export async function zones(ctx: Ctx): Promise<Zone[]> {
  const aggregates = await allAggregates(ctx.db)
  const fallback = ctx.config.of(computeConfig).default_availability_zone
  const byZone = new Map<string, Zone>()
  for (const row of await hosts.list(ctx.db, {}, inOrder)) {
    const name = zoneOf(row.name, aggregates, fallback)
    const zone = byZone.get(name) ?? { name, available: false, hosts: [] }
    byZone.set(name, zone)
    zone.hosts.push({ name: row.name, up: isUp(ctx, row), enabled: !row.disabled, last_seen: row.last_seen })
    zone.available ||= !row.disabled
  }
  return [...byZone.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
