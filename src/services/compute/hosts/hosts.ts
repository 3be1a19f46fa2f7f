/** Hosts by the names that operators give, and as the zones that users choose. */
import type { Ctx } from '#kernel/context.ts'
import type { AnyBuilder } from '#kernel/db/rows.ts'
import { zoneKey, zoneOf } from '../aggregates/aggregate.ts'
import { aggregates, allAggregates, memberCondition } from '../aggregates/store.ts'
import { computeConfig } from '../config.ts'
import { type HostRow, isUp } from './host.ts'
import { hosts, inOrder } from './store.ts'

/** The host of this name, or whose hypervisor has it. */
export async function hostNamed(ctx: Ctx, name: string): Promise<HostRow | undefined> {
  const found = await hosts.find(ctx.db, { name })
  return found ?? (await hosts.list(ctx.db, {}, inOrder)).find(row => row.facts.hypervisor_hostname === name)
}

/** Whether a zone has an enabled host. */
export async function zoneAvailable(ctx: Ctx, name: string): Promise<boolean> {
  const isFallback = name === ctx.config.of(computeConfig).default_availability_zone
  const zoned = (await aggregates.list(ctx.db)).filter(({ metadata }) => metadata[zoneKey] !== undefined)
  // Hosts of the default zone are those that no other zone has.
  const ids = zoned.filter(({ metadata }) => (metadata[zoneKey] === name) !== isFallback).map(({ id }) => id)
  if (ids.length === 0 && !isFallback) return false
  const also = (eb: AnyBuilder) => memberCondition(eb, ids, !isFallback)
  const options = { limit: 1, ...(ids.length > 0 && { also }) }
  return (await hosts.pick(ctx.db, ['id'], { disabled: false }, options)).length > 0
}

export async function zoneOfHost(ctx: Ctx, host: string): Promise<string> {
  return zoneOf(host, await allAggregates(ctx.db), ctx.config.of(computeConfig).default_availability_zone)
}

export interface Zone {
  name: string
  /** True when one of its hosts is enabled. */
  available: boolean
  hosts: { name: string; up: boolean; enabled: boolean; last_seen: string }[]
}

/** Zones by name, each with its hosts. */
export async function zones(ctx: Ctx): Promise<Zone[]> {
  const all = await allAggregates(ctx.db)
  const fallback = ctx.config.of(computeConfig).default_availability_zone
  const byZone = new Map<string, Zone>()
  for (const row of await hosts.list(ctx.db, {}, inOrder)) {
    const name = zoneOf(row.name, all, fallback)
    const zone = byZone.get(name) ?? { name, available: false, hosts: [] }
    byZone.set(name, zone)
    zone.hosts.push({ name: row.name, up: isUp(ctx, row), enabled: !row.disabled, last_seen: row.last_seen })
    zone.available ||= !row.disabled
  }
  return [...byZone.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
