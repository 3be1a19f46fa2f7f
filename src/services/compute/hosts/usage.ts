/** What of a host is used, in the numbers of os-hypervisors; and how long its machine has run. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import type { Loads } from '../servers/store-loads.ts'
import type { HostRow } from './host.ts'
import { cpuCounts } from './numa.ts'

export interface HostUsage {
  vcpus: number
  memory_mb: number
  local_gb: number
  vcpus_used: number
  memory_mb_used: number
  local_gb_used: number
  free_ram_mb: number
  free_disk_gb: number
  current_workload: number
  running_vms: number
  disk_available_least: number
}

/** What is reserved for the host itself counts as used, as upstream counts it. */
export async function usageOfHost(ctx: Ctx, row: HostRow, loads?: Loads): Promise<HostUsage> {
  const used = await ctx.services.placement.usagesOf(ctx, row.provider_uuid)
  const { memory_mb, disk_gb } = row.facts
  const { shared, dedicated } = cpuCounts(ctx, row.facts)
  const of = (name: 'VCPU' | 'PCPU' | 'MEMORY_MB' | 'DISK_GB') => used[name] ?? 0
  const memory_mb_used = of('MEMORY_MB') + ctx.config.of(computeConfig).hosts.reserved_memory_mb
  const free_disk_gb = disk_gb - of('DISK_GB')
  return {
    vcpus: shared + dedicated,
    memory_mb,
    local_gb: disk_gb,
    vcpus_used: of('VCPU') + of('PCPU'),
    memory_mb_used,
    local_gb_used: of('DISK_GB'),
    free_ram_mb: memory_mb - memory_mb_used,
    free_disk_gb,
    current_workload: loads?.get(row.name)?.io_ops ?? 0,
    running_vms: row.guests,
    disk_available_least: free_disk_gb,
  }
}

/** As `uptime` prints it, which clients take apart; nobody is logged in through us, hence no users. */
export function uptimeText(ctx: Ctx, row: HostRow): string {
  const { uptime_seconds, load } = row.machine
  const minutes = Math.floor(uptime_seconds / 60)
  const days = Math.floor(minutes / 1440)
  const clock = `${Math.floor((minutes % 1440) / 60)}:${String(minutes % 60).padStart(2, '0')}`
  const time = new Date(ctx.clock.now()).toISOString().slice(11, 19)
  const loads = load.map(value => value.toFixed(2)).join(', ')
  return ` ${time} up ${days} days, ${clock},  0 users,  load average: ${loads}`
}
