/** Which of a guest's vCPUs have CPUs of the host for themselves, and what goes on beside them. */
import { cpuSet, firstCpus } from './cpu-set.ts'
import { BadTopology, flavorWish, imageWish, isYes, type Wishes } from './wishes.ts'

export type CpuPolicy = 'shared' | 'dedicated' | 'mixed'
export type ThreadPolicy = 'prefer' | 'isolate' | 'require'
export type EmulatorThreads = 'share' | 'isolate'

export interface CpuPolicies {
  policy: CpuPolicy
  threads: ThreadPolicy | undefined
  emulator: EmulatorThreads | undefined
  /** vCPUs with a CPU for themselves. */
  dedicated: ReadonlySet<number>
  /** vCPUs that run before all else on their CPU. */
  realtime: readonly number[]
}

function choice<T extends string>(wishes: Wishes, name: string, what: string, choices: readonly T[]) {
  const of = (source: 'flavor' | 'image', value: string | undefined): T | undefined => {
    const found = choices.find(each => each === value)
    if (value === undefined || found) return found
    const available = `(${choices.map(each => `'${each}'`).join(', ')})`
    throw new BadTopology(
      `${what} requested from '${source}' is invalid, given: '${value}', available: '${available}'.`,
    )
  }
  return { flavor: of('flavor', flavorWish(wishes, name)), image: of('image', imageWish(wishes, name)) }
}

export function cpuPolicies(wishes: Wishes): CpuPolicies {
  const policy = cpuPolicy(wishes)
  const threads = threadPolicy(wishes)
  const emulator = emulatorThreads(wishes)
  if (emulator === 'isolate' && policy !== 'dedicated' && policy !== 'mixed')
    throw new BadTopology('An isolated CPU emulator threads option requires a dedicated CPU policy option.')
  const isRealtime = isYes(flavorWish(wishes, 'cpu_realtime'))
  if (isRealtime && policy === 'shared')
    throw new BadTopology('Cannot set realtime policy in a non dedicated cpu pinning policy')
  const realtime = isRealtime ? realtimeCpus(wishes, emulator) : []
  const dedicated = dedicatedCpus(wishes, policy, realtime)
  if (policy === 'shared' && threads !== undefined)
    throw new BadTopology('Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy')
  return { policy, threads, emulator, dedicated, realtime }
}

function cpuPolicy(wishes: Wishes): CpuPolicy {
  const { flavor, image } = choice(wishes, 'cpu_policy', 'CPU policy', ['dedicated', 'shared', 'mixed'])
  if (flavor === 'dedicated' || flavor === undefined) return flavor ?? image ?? 'shared'
  const more = flavor === 'mixed' ? image === 'dedicated' : image === 'dedicated' || image === 'mixed'
  if (!more) return flavor
  throw new BadTopology(
    "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the flavor",
  )
}

function threadPolicy(wishes: Wishes): ThreadPolicy | undefined {
  const choices = ['prefer', 'isolate', 'require'] as const
  const { flavor, image } = choice(wishes, 'cpu_thread_policy', 'CPU thread policy', choices)
  if (flavor === undefined || flavor === 'prefer') return image ?? flavor
  if (image === undefined || image === flavor) return flavor
  throw new BadTopology(
    "Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy set against the flavor",
  )
}

function emulatorThreads(wishes: Wishes): EmulatorThreads | undefined {
  const asked = flavorWish(wishes, 'emulator_threads_policy')
  if (asked === undefined || asked === 'share' || asked === 'isolate') return asked
  throw new BadTopology(
    `CPU emulator threads option requested is invalid, given: '${asked}', available: '('isolate', 'share')'.`,
  )
}

/** A mask that begins with what is not meant is about all vCPUs. */
const masked = (wishes: Wishes, mask: string) =>
  (cpuSet(mask.trim().startsWith('^') ? `0-${wishes.vcpus - 1},${mask}` : mask) ?? []).filter(cpu => cpu < wishes.vcpus)

const realtimeMask = (wishes: Wishes) =>
  imageWish(wishes, 'cpu_realtime_mask') ?? flavorWish(wishes, 'cpu_realtime_mask')

function realtimeCpus(wishes: Wishes, emulator: EmulatorThreads | undefined): number[] {
  const mask = realtimeMask(wishes)
  const cpus = mask === undefined ? firstCpus(wishes.vcpus) : masked(wishes, mask)
  const somethingElse = emulator !== undefined || cpus.length < wishes.vcpus
  if (cpus.length > 0 && somethingElse) return cpus
  throw new BadTopology(
    'Use of realtime CPUs requires either one or more non-realtime CPU(s) or offloaded emulator threads.',
  )
}

function dedicatedCpus(wishes: Wishes, policy: CpuPolicy, realtime: readonly number[]): Set<number> {
  const mask = flavorWish(wishes, 'cpu_dedicated_mask')
  if (policy !== 'mixed') {
    if (mask !== undefined)
      throw new BadTopology("Cannot specify 'hw:cpu_dedicated_mask' without 'hw:cpu_policy=mixed'.")
    return new Set(policy === 'dedicated' ? firstCpus(wishes.vcpus) : [])
  }
  const byRealtime = realtime.length > 0 && realtimeMask(wishes) !== undefined
  if ((mask !== undefined) === byRealtime)
    throw new BadTopology(
      "Dedicated CPU set can be specified from either 'hw:cpu_dedicated_mask' or 'hw:cpu_realtime_mask' when using " +
        "'hw:cpu_policy=mixed'. 'hw:cpu_dedicated_mask' and 'hw:cpu_realtime_mask' can not be specified at the same time, " +
        'or be specified with none of them.',
    )
  const cpus = mask === undefined ? realtime : masked(wishes, mask)
  if (cpus.length === 0 || cpus.length >= wishes.vcpus)
    throw new BadTopology(
      "Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See 'hw:cpu_dedicated_mask'.",
    )
  return new Set(cpus)
}
