/** How a guest's vCPUs and memory are laid out, as QEMU's arguments. Pure. */
import type { GuestCellSpec, GuestSpec } from '../driver.ts'

type Layout = Pick<GuestSpec, 'vcpus' | 'memory_mb' | 'cpu_topology' | 'cells' | 'locked_memory'>

/** `-smp`, `-m`, and for a guest with cells the memory and the vCPUs of each. */
export function layoutArguments(spec: Layout): string[] {
  const { sockets, cores, threads } = spec.cpu_topology ?? { sockets: spec.vcpus, cores: 1, threads: 1 }
  return [
    ...['-smp', `cpus=${spec.vcpus},sockets=${sockets},cores=${cores},threads=${threads}`],
    ...['-m', `${spec.memory_mb}M`],
    ...(spec.cells ?? []).flatMap(cellArguments),
    ...(spec.locked_memory ? ['-overcommit', 'mem-lock=on'] : []),
  ]
}

function cellArguments(cell: GuestCellSpec): string[] {
  const memory = `ram-node${cell.id}`
  const where = `size=${cell.memory_mb}M,host-nodes=${cell.host_cell},policy=bind`
  // Pages of a file in memory: no file system has to be mounted for them, and they go with the process.
  const large = `memory-backend-memfd,id=${memory},hugetlb=on,hugetlbsize=${cell.page_kb}k,prealloc=on`
  const isLarge = cell.page_kb !== undefined && cell.page_kb > 4
  const cpus = runsOf(cell.vcpus).map(run => `,cpus=${run}`)
  return [
    ...['-object', `${isLarge ? large : `memory-backend-ram,id=${memory}`},${where}`],
    ...['-numa', `node,nodeid=${cell.id}${cpus.join('')},memdev=${memory}`],
  ]
}

/** `0-1`, `3`: each run of neighbours. */
function runsOf(vcpus: readonly number[]): string[] {
  const runs: [first: number, last: number][] = []
  for (const vcpu of vcpus) {
    const run = runs.at(-1)
    if (run && run[1] === vcpu - 1) run[1] = vcpu
    else runs.push([vcpu, vcpu])
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`))
}

/** How much memory the process may lock; undefined for a guest that needs none locked. Devices reach into all of the guest's. */
export function lockedBytes({
  memory_mb,
  locked_memory,
  devices = [],
}: Pick<GuestSpec, 'memory_mb' | 'locked_memory' | 'devices'>): number | undefined {
  const beside = 4096
  return locked_memory || devices.length > 0 ? (memory_mb + beside) * 1024 * 1024 : undefined
}
