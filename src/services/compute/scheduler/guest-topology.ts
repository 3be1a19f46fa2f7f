/** The NUMA cells that a flavor and an image ask for together, by upstream's rules. Pure. */
import { type CpuPolicies, cpuPolicies } from './cpu-policy.ts'
import { cpuSet, firstCpus } from './cpu-set.ts'
import { BadTopology, flavorWish, imageWish, isYes, type Wishes } from './wishes.ts'

/** In KiB, or as the host has them. */
export type PageSize = 'small' | 'large' | 'any' | number

/** A NUMA node as the guest sees it. */
export interface GuestCell {
  id: number
  /** Ascending. */
  vcpus: number[]
  memory_mb: number
}

export interface GuestTopology {
  cells: GuestCell[]
  /** Undefined: whatever the host gives. */
  page_size: PageSize | undefined
  cpu: CpuPolicies
}

/** Undefined for a guest that leaves all this to its host. Throws BadTopology. */
export function guestTopology(wishes: Wishes): GuestTopology | undefined {
  const nodes = nodesOf(wishes)
  const page_size = pageSizeOf(wishes)
  checkLockedMemory(wishes, page_size)
  const asked = nodes !== undefined || page_size !== undefined
  const cells = asked ? cellsOf(wishes, nodes ?? 1) : undefined
  const cpu = cpuPolicies(wishes)
  if (cpu.policy === 'shared') return cells && { cells, page_size, cpu }
  return { cells: cells ?? evenCells(wishes, 1), page_size, cpu }
}

function nodesOf(wishes: Wishes): number | undefined {
  const [flavor, image] = [flavorWish(wishes, 'numa_nodes'), imageWish(wishes, 'numa_nodes')]
  if (flavor !== undefined && image !== undefined) throw forbidden('hw_numa_nodes')
  const nodes = flavor ?? image
  if (nodes !== undefined && !/^0*[1-9]\d{0,5}$/.test(nodes))
    throw new BadTopology(`The property 'numa_nodes' cannot be '${nodes}'. It must be a number greater than 0`)
  return nodes === undefined ? undefined : Number(nodes)
}

const forbidden = (name: string) =>
  new BadTopology(`Image property '${name}' is not permitted to override NUMA configuration set against the flavor`)

function cellsOf(wishes: Wishes, nodes: number): GuestCell[] {
  const cpus = listOf(wishes, 'numa_cpus')
  const memory = listOf(wishes, 'numa_mem')
  if (!cpus && !memory) return evenCells(wishes, nodes)
  if (cpus?.length !== nodes || memory?.length !== nodes)
    throw new BadTopology('CPU and memory allocation must be provided for all NUMA nodes')
  return namedCells(wishes, cpus, memory)
}

/** The values of `numa_cpus.0`, `numa_cpus.1` …, from one of the two; undefined when neither has any. */
function listOf(wishes: Wishes, name: string): string[] | undefined {
  const of = (wish: typeof flavorWish) => {
    const found: string[] = []
    for (let value = wish(wishes, `${name}.0`); value !== undefined; value = wish(wishes, `${name}.${found.length}`))
      found.push(value)
    return found.length > 0 ? found : undefined
  }
  const [flavor, image] = [of(flavorWish), of(imageWish)]
  if (flavor && image) throw forbidden(`hw_${name}`)
  return flavor ?? image
}

function evenCells({ vcpus, ram_mb }: Wishes, nodes: number): GuestCell[] {
  if (vcpus % nodes > 0 || ram_mb % nodes > 0)
    throw new BadTopology(
      'Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of CPUs and memory to nodes is required',
    )
  const each = vcpus / nodes
  return Array.from({ length: nodes }, (_, id) => ({
    id,
    vcpus: firstCpus(each).map(cpu => id * each + cpu),
    memory_mb: ram_mb / nodes,
  }))
}

function namedCells({ vcpus, ram_mb }: Wishes, cpus: string[], memory: string[]): GuestCell[] {
  const left = new Set(firstCpus(vcpus))
  const cells = cpus.map((text, id) => {
    const its = cpuSet(text) ?? []
    for (const cpu of its) {
      if (cpu >= vcpus) throw new BadTopology(`CPU number ${cpu} is larger than max ${vcpus - 1}`)
      if (!left.delete(cpu)) throw new BadTopology(`CPU number ${cpu} is assigned to two nodes`)
    }
    return { id, vcpus: its, memory_mb: Number(memory[id]) || 0 }
  })
  if (left.size > 0) throw new BadTopology(`CPU number {${[...left].join(', ')}} is not assigned to any node`)
  const total = cells.reduce((sum, { memory_mb }) => sum + memory_mb, 0)
  if (total !== ram_mb) throw new BadTopology(`${total} MB of memory assigned, but expected ${ram_mb} MB`)
  return cells
}

function pageSizeOf(wishes: Wishes): PageSize | undefined {
  const [flavor, image] = [flavorWish(wishes, 'mem_page_size'), imageWish(wishes, 'mem_page_size')]
  const refused = (against: string) => new BadTopology(`Page size ${image} forbidden against '${against}'`)
  if (flavor === undefined) {
    if (image !== undefined) throw refused('<empty>')
    return undefined
  }
  const asked = pageSize(flavor)
  if (image === undefined) return asked
  if (asked !== 'any' && asked !== 'large') throw refused(flavor)
  return pageSize(image)
}

/** A number is of KiB; with a unit it is bytes, or bits, always by 1024. */
function pageSize(text: string): PageSize {
  if (text === 'small' || text === 'large' || text === 'any') return text
  const [, amount, unit = '', end = ''] = /^(\d{1,12})([kKMGT]?)i?(b|bit|B)?$/.exec(text) ?? []
  const bytes = Number(amount) * 1024 ** 'bkmgt'.indexOf(unit.toLowerCase() || (unit + end === '' ? 'k' : 'b'))
  const kib = Math.floor(bytes / (end === 'b' || end === 'bit' ? 8 : 1) / 1024)
  if (!(kib > 0)) throw new BadTopology(`Invalid memory page size '${amount === undefined ? text : 0}'`)
  return kib
}

function checkLockedMemory(wishes: Wishes, page_size: PageSize | undefined): void {
  const [flavor, image] = [flavorWish(wishes, 'locked_memory'), imageWish(wishes, 'locked_memory')]
  if (flavor !== undefined && image !== undefined && isYes(flavor) !== isYes(image))
    throw new BadTopology(
      `locked_memory value in image (${image}) and flavor (${flavor}) conflict. A consistent value is expected if both specified.`,
    )
  if (isYes(flavor ?? image) && page_size === undefined)
    throw new BadTopology('locked_memory value in image or flavor is forbidden when mem_page_size is not set.')
}
