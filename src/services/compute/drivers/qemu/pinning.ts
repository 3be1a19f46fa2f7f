/** Binds the threads of a guest's QEMU to the CPUs of the host that are the guest's. */
import { GuestError, type GuestSpec } from '../driver.ts'
import { run } from './run.ts'
import type { Session } from './session.ts'

interface VcpuThread {
  'cpu-index': number
  'thread-id': number
}

/** Before the guest's CPUs run. */
export async function bindThreads(
  session: Session,
  spec: Pick<GuestSpec, 'cells' | 'floating_cpus' | 'realtime_vcpus'>,
  signal: AbortSignal,
): Promise<void> {
  const { cells = [], floating_cpus = [], realtime_vcpus = [] } = spec
  const cpusOf = (vcpu: number): number[] => {
    const cell = cells.find(each => each.vcpus.includes(vcpu))
    const pinned = cell?.pins[vcpu]
    return pinned === undefined ? (cell?.shared_cpus ?? []) : [pinned]
  }
  try {
    // Threads that come later are where the one is that makes them.
    if (floating_cpus.length > 0) await bind(session.process.pid, floating_cpus, signal, ['--all-tasks'])
    if (cells.length === 0) return
    for (const { 'cpu-index': vcpu, 'thread-id': thread } of await session.execute<VcpuThread[]>('query-cpus-fast')) {
      const cpus = cpusOf(vcpu)
      if (cpus.length > 0) await bind(thread, cpus, signal)
      if (realtime_vcpus.includes(vcpu)) await run('chrt', ['--fifo', '--pid', '1', String(thread)], { signal })
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    const message = cause instanceof Error ? cause.message : ''
    throw new GuestError(`The guest's threads could not be bound to CPUs. ${message}`, { cause, retryElsewhere: true })
  }
}

async function bind(pid: number, cpus: readonly number[], signal: AbortSignal, how: string[] = []): Promise<void> {
  await run('taskset', [...how, '--cpu-list', '--pid', cpus.join(','), String(pid)], { signal })
}
