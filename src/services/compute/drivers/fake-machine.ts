/** NUMA cells and devices of simulated hosts. */
import type { HostCell, HostDevice } from './driver.ts'

export interface FakeMachine {
  /** 0: the host says nothing of cells. */
  numa_cells: number
  threads_per_core: number
  /** Pages of 2 MiB in each cell. */
  huge_pages: number
  /** `8086:1563`: a device of the kind, in the next cell each. */
  devices: readonly string[]
  /** Of each CPU: `avx2`. */
  cpu_flags?: readonly string[]
}

/** The host's CPUs and memory, divided evenly. */
export function fakeMachine(
  { vcpus, memory_mb }: { vcpus: number; memory_mb: number },
  { numa_cells: count, threads_per_core, huge_pages, devices: kinds }: FakeMachine,
): { cells?: HostCell[]; devices?: HostDevice[] } {
  const each = Math.floor(vcpus / Math.max(1, count))
  const cells = Array.from({ length: count }, (_, id): HostCell => {
    const cpus = Array.from({ length: each }, (_cpu, index) => id * each + index)
    const cores = Math.ceil(each / threads_per_core)
    return {
      ...{ id, socket: id, cpus, memory_mb: Math.floor(memory_mb / count) },
      siblings: Array.from({ length: cores }, (_core, core) =>
        cpus.slice(core * threads_per_core, (core + 1) * threads_per_core),
      ),
      pages: huge_pages > 0 ? [{ size_kb: 2048, total: huge_pages }] : [],
    }
  })
  const devices = kinds.map((kind, index): HostDevice => {
    const [vendor_id = '', product_id = ''] = kind.split(':')
    const address = `0000:${(0x81 + index).toString(16)}:00.0`
    return { address, vendor_id, product_id, ...(count > 0 && { cell: index % count }) }
  })
  return { ...(count > 0 && { cells }), ...(devices.length > 0 && { devices }) }
}
