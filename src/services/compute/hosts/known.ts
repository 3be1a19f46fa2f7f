/** What the process remembers of hosts, for the scheduler: reading ten thousand rows would be all that a decision does. */
import { type Ctx, perCloud } from '#kernel/context.ts'
import { type AggregateRow, zoneKey } from '../aggregates/aggregate.ts'
import { aggregateHosts, aggregates } from '../aggregates/store.ts'
import { computeConfig } from '../config.ts'
import type { HostFacts } from '../drivers/driver.ts'
import type { HostState } from '../scheduler/scheduler.ts'
import { type HostRow, isUp } from './host.ts'
import { cpuCounts } from './numa.ts'
import { hosts } from './store.ts'

/** What was read of a provider when it had this generation. */
interface Known {
  generation: number
  /** Undefined for a provider that is no host. */
  host: KnownHost | undefined
}

export interface KnownHost {
  /** With all of its room, since nobody knows what is taken of it; `up` as of the reading; without what its aggregates say. */
  state: HostState
  facts: Pick<HostFacts, 'vcpus' | 'cells' | 'devices'>
  /** Ids of its aggregates, oldest first. */
  aggregates: readonly number[]
}

const memoryOf = perCloud(() => new Map<string, Known>())

/** The hosts of providers, read anew when they have another generation now; undefined for those that are none. */
export async function knownHosts(
  ctx: Ctx,
  providers: readonly { root: string; generation: number }[],
): Promise<(KnownHost | undefined)[]> {
  const memory = memoryOf(ctx)
  const known = providers.map(({ root }) => memory.get(root))
  const changed = providers.filter(({ generation }, i) => known[i]?.generation !== generation)
  if (changed.length === 0) return known.map(one => one?.host)
  const read = await readHosts(
    ctx,
    changed.map(({ root }) => root),
  )
  for (const { root, generation } of changed) memory.set(root, { generation, host: read.get(root) })
  return providers.map(({ root, generation }, i) => {
    const one = known[i]
    return one?.generation === generation ? one.host : read.get(root)
  })
}

/** The same, read anew whatever is remembered, by provider; those that are none are not in it. */
export async function hostsNow(ctx: Ctx, providers: readonly string[]): Promise<Map<string, KnownHost>> {
  const memory = memoryOf(ctx)
  const read = await readHosts(ctx, providers)
  for (const root of providers) {
    const known = memory.get(root)
    if (known) memory.set(root, { ...known, host: read.get(root) })
  }
  return read
}

async function readHosts(ctx: Ctx, providers: readonly string[]): Promise<Map<string, KnownHost>> {
  const found = await hosts.list(ctx.db, { provider_uuid: providers })
  const members = await aggregateHosts.list(ctx.db, { host: found.map(row => row.name) })
  const membersOf = Map.groupBy(members, member => member.host)
  const idsOf = ({ name }: HostRow) => (membersOf.get(name) ?? []).map(member => member.aggregate_id)
  return new Map(found.map(row => [row.provider_uuid, knownHost(ctx, row, idsOf(row))]))
}

function knownHost(ctx: Ctx, row: HostRow, aggregates: number[]): KnownHost {
  const { hosts: ratios } = ctx.config.of(computeConfig)
  const { vcpus, memory_mb, disk_gb, cells, devices, ...facts } = row.facts
  const own = { vcpus, ...(cells && { cells }), ...(devices && { devices }) }
  const { shared, dedicated } = cpuCounts(ctx, own)
  const state: HostState = {
    host: row.name,
    node: facts.hypervisor_hostname,
    provider: row.provider_uuid,
    zone: '',
    dedicated_to: row.dedicated_to,
    enabled: !row.disabled,
    disabled_reason: row.disabled_reason,
    up: isUp(ctx, row),
    arch: facts.cpu_info.arch,
    hypervisor_type: facts.hypervisor_type,
    hypervisor_version: facts.hypervisor_version,
    ip: row.machine.address,
    // For weighing: placement alone says whether something fits.
    free_vcpus: shared * ratios.cpu_allocation_ratio + dedicated,
    free_ram_mb: (memory_mb - ratios.reserved_memory_mb) * ratios.ram_allocation_ratio,
    free_disk_gb: disk_gb * ratios.disk_allocation_ratio,
    servers: 0,
    own_servers: 0,
    io_ops: 0,
    signals: {},
    numa: undefined,
    aggregate_metadata: {},
  }
  return { state, facts: own, aggregates: aggregates.sort((a, b) => a - b) }
}

/** What aggregates say of a host in all of them. */
export interface Said {
  /** Oldest first. */
  groups: readonly AggregateRow[]
  state: Pick<HostState, 'zone' | 'aggregate_metadata'>
}

/** Reads the aggregates of these hosts; what they say is put together once for all hosts that are in the same ones. */
export async function aggregatesSay(
  ctx: Ctx,
  hosts: Iterable<KnownHost | undefined>,
): Promise<(host: KnownHost) => Said> {
  const { default_availability_zone: fallback } = ctx.config.of(computeConfig)
  const ids = new Set<number>()
  for (const host of hosts) for (const id of host?.aggregates ?? []) ids.add(id)
  const byId = new Map((await aggregates.list(ctx.db, { id: [...ids] })).map(row => [row.id, row]))
  const none = saidBy([], fallback)
  const said = new Map<string, Said>()
  return ({ aggregates: ids }) => {
    if (ids.length === 0) return none
    const key = ids.join()
    const known =
      said.get(key) ??
      saidBy(
        ids.flatMap(id => byId.get(id) ?? []),
        fallback,
      )
    said.set(key, known)
    return known
  }
}

function saidBy(groups: readonly AggregateRow[], fallback: string): Said {
  const values = Map.groupBy(
    groups.flatMap(({ metadata }) => Object.entries(metadata)),
    ([key]) => key,
  )
  const aggregate_metadata = Object.fromEntries(
    [...values].map(([key, entries]) => [key, entries.map(([, value]) => value)]),
  )
  // Where several say something of a host, the oldest counts.
  return { groups, state: { zone: aggregate_metadata[zoneKey]?.[0] ?? fallback, aggregate_metadata } }
}
