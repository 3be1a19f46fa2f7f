/** Chooses CPUs of a host's cell for vCPUs that have them for themselves. Pure. */
import type { ThreadPolicy } from './cpu-policy.ts'
import type { CellState } from './fit.ts'

export interface Picked {
  cpus: number[]
  emulator: number[]
  /** vCPUs a core. */
  threads: number
}

/** Undefined when the cell has not enough of them. */
export function pickCpus(
  { dedicated, pinned, siblings }: Pick<CellState, 'dedicated' | 'pinned' | 'siblings'>,
  count: number,
  policy: ThreadPolicy | undefined,
  withEmulator: boolean,
): Picked | undefined {
  if (count === 0 && !withEmulator) return { cpus: [], emulator: [], threads: 1 }
  const free = new Set(dedicated.filter(cpu => !pinned.has(cpu)))
  const perCore = Math.max(1, ...siblings.map(core => core.length))
  const cores = siblings.map(core => core.filter(cpu => free.has(cpu))).filter(core => core.length > 0)
  for (const { threads, usable } of ways(cores, perCore, policy)) {
    const cpus = usable.flat().slice(0, count)
    if (cpus.length < count) continue
    const taken = new Set(policy === 'isolate' ? usable.slice(0, count).flatMap(core => coreOf(cores, core)) : cpus)
    const rest = [...free].filter(cpu => !taken.has(cpu))
    if (withEmulator && rest.length === 0) continue
    const shared = policy === 'isolate' ? 1 : commonThreads(count, threads)
    return { cpus, emulator: withEmulator ? [rest[0]!] : [], threads: shared }
  }
  return undefined
}

const coreOf = (cores: number[][], part: number[]) => cores.find(core => core.includes(part[0]!)) ?? part

/** The sets of CPUs to take from in turn: whole cores first, so that guests share as few as can be. */
function ways(cores: number[][], perCore: number, policy: ThreadPolicy | undefined) {
  if (policy === 'isolate') {
    const whole = cores.filter(core => core.length === perCore)
    return [{ threads: 1, usable: whole.map(core => core.slice(0, 1)) }]
  }
  const found: { threads: number; usable: number[][] }[] = []
  for (let threads = perCore; threads > (policy === 'require' ? 1 : 0); threads--)
    found.push({ threads, usable: cores.filter(core => core.length >= threads).map(core => core.slice(0, threads)) })
  if (policy !== 'require') found.push({ threads: 1, usable: cores })
  return found
}

/** The guest's cores are all alike: as many threads as divide its vCPUs. */
function commonThreads(count: number, threads: number): number {
  let found = threads
  while (found > 1 && count % found > 0) found--
  return found
}
