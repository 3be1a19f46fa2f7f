/** How full hosts are with servers, in percent of what they offer. */
import type { Ctx } from '#kernel/context.ts'
import { computeConfig } from '../config.ts'
import type { HostRow } from '../hosts/host.ts'
import type { ServerRow } from './server.ts'

export interface Loaded {
  host: string
  vcpus: number
  memory_mb: number
  disk_gb: number
  servers: ServerRow[]
}

export function hostWith(ctx: Ctx, { name, facts }: HostRow, servers: ServerRow[]): Loaded {
  const { cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio, reserved_memory_mb } =
    ctx.config.of(computeConfig).hosts
  return {
    ...{ host: name, servers },
    vcpus: facts.vcpus * cpu_allocation_ratio,
    memory_mb: (facts.memory_mb - reserved_memory_mb) * ram_allocation_ratio,
    disk_gb: facts.disk_gb * disk_allocation_ratio,
  }
}

/** Of vCPUs, memory and disk that of which there is most. `more`: with one more server. */
export function loadOf({ vcpus, memory_mb, disk_gb, servers }: Loaded, more?: ServerRow): number {
  const all = more ? [...servers, more] : servers
  const share = (of: (server: ServerRow) => number, offered: number) =>
    offered > 0 ? all.reduce((total, one) => total + of(one), 0) / offered : 0
  const shares = [
    share(one => one.vcpus, vcpus),
    share(one => one.memory_mb, memory_mb),
    share(one => one.disk_gb, disk_gb),
  ]
  return 100 * Math.max(...shares)
}
