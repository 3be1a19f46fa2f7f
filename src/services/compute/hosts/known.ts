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

/** One for all hosts that are in none, since it is looked at for each. */
const noAggregates: readonly number[] = []

const memoryOf = perCloud(() => new Map<string, Known>())

/** The hosts of providers, read anew when they have another generation now; undefined for those that are none. */
export async function knownHosts(
  ctx: Ctx,
  providers: readonly { root: string; generation: number }[],
): Promise<(KnownHost | undefined)[]> {
  const memory = memoryOf(ctx)
  const found: (KnownHost | undefined)[] = []
  const changed: number[] = []
  for (const [i, { root, generation }] of providers.entries()) {
    const known = memory.get(root)
    found.push(known?.host)
    if (known?.generation !== generation) changed.push(i)
  }
  const read = await readHosts(
    ctx,
    changed.map(i => providers[i]!.root),
  )
  for (const i of changed) {
    const { root, generation } = providers[i]!
    found[i] = read.get(root)
    memory.set(root, { generation, host: found[i] })
  }
  return found
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
  const idsOf = ({ name }: HostRow) =>
    membersOf
      .get(name)
      ?.map(member => member.aggregate_id)
      .sort((a, b) => a - b) ?? noAggregates
  return new Map(found.map(row => [row.provider_uuid, knownHost(ctx, row, idsOf(row))]))
}

function knownHost(ctx: Ctx, row: HostRow, aggregates: readonly number[]): KnownHost {
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
  return { state, facts: own, aggregates }
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
    let known = said.get(key)
    if (!known) {
      const groups = ids.flatMap(id => byId.get(id) ?? [])
      known = saidBy(groups, fallback)
      said.set(key, known)
    }
    return known
  }
}

function saidBy(groups: readonly AggregateRow[], fallback: string): Said {
  const values = new Map<string, string[]>()
  for (const { metadata } of groups)
    for (const [key, value] of Object.entries(metadata)) {
      const known = values.get(key)
      if (known) known.push(value)
      else values.set(key, [value])
    }
  const aggregate_metadata = Object.fromEntries(values)
  // Where several say something of a host, the oldest counts.
  return { groups, state: { zone: aggregate_metadata[zoneKey]?.[0] ?? fallback, aggregate_metadata } }
}
