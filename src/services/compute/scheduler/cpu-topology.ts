/** The sockets, cores and threads that a guest sees of its vCPUs, by upstream's rules. Pure. */
import { BadTopology, flavorWish, imageWish, type Wishes } from './wishes.ts'

export interface CpuTopology {
  sockets: number
  cores: number
  threads: number
}

const parts = ['sockets', 'cores', 'threads'] as const
type Some = Record<(typeof parts)[number], number | undefined>

/** What neither says is bounded by what no guest has. */
const unbounded = 65_536

function read(wishes: Wishes, wish: typeof flavorWish, prefix: string): Some {
  const of = (part: string) => {
    const text = wish(wishes, `${prefix}${part}`)
    return text !== undefined && /^\d{1,9}$/.test(text) && Number(text) > 0 ? Number(text) : undefined
  }
  return { sockets: of('sockets'), cores: of('cores'), threads: of('threads') }
}

const told = (some: Some) => parts.map(part => `${part}=${some[part] ?? -1}`).join(', ')

const over = (some: Some, most: CpuTopology) => parts.some(part => (some[part] ?? 0) > most[part])

/** `threads`: how many of the vCPUs share a core of the host each, which the guest should know of. Throws BadTopology. */
export function cpuTopology(wishes: Wishes, threads = 1): CpuTopology {
  const flavorMost = filled(read(wishes, flavorWish, 'cpu_max_'), unbounded)
  const imageMost = read(wishes, imageWish, 'cpu_max_')
  if (over(imageMost, flavorMost))
    throw new BadTopology(
      `Image vCPU topology limits (${told(imageMost)}) exceeds the limits of the flavor (${told(flavorMost)})`,
    )
  const most = filled(imageMost, flavorMost)
  const image = read(wishes, imageWish, 'cpu_')
  if (over(image, most))
    throw new BadTopology(
      `Image vCPU topology (${told(image)}) exceeds the limits of the flavor or image (${told(most)})`,
    )
  const flavor = read(wishes, flavorWish, 'cpu_')
  // An image that says something, or that leaves no room for what the flavor says, has the word.
  const preferred = Object.values(image).some(value => value !== undefined) || over(flavor, most) ? image : flavor
  return best(wishes.vcpus, most, { ...preferred, threads: preferred.threads ?? (threads > 1 ? threads : undefined) })
}

function filled(some: Some, rest: number | CpuTopology): CpuTopology {
  const of = (part: keyof CpuTopology) => some[part] ?? (typeof rest === 'number' ? rest : rest[part])
  return { sockets: of('sockets'), cores: of('cores'), threads: of('threads') }
}

function best(vcpus: number, most: CpuTopology, preferred: Some): CpuTopology {
  const possible: CpuTopology[] = []
  for (let sockets = Math.min(vcpus, most.sockets); sockets >= 1; sockets--) {
    if (vcpus % sockets > 0) continue
    const rest = vcpus / sockets
    for (let cores = Math.min(rest, most.cores); cores >= 1; cores--) {
      const threads = rest / cores
      if (rest % cores === 0 && threads <= most.threads) possible.push({ sockets, cores, threads })
    }
  }
  const first = possible[0]
  if (!first) {
    const limits = `${most.sockets}:${most.cores}:${most.threads}`
    throw new BadTopology(`Requested vCPU limits ${limits} are impossible to satisfy for vcpus count ${vcpus}`)
  }
  const score = (one: CpuTopology) => parts.filter(part => one[part] === preferred[part]).length
  return possible.reduce((a, b) => (score(b) > score(a) ? b : a), first)
}
