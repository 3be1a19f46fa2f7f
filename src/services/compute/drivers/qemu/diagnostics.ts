/** Nova's diagnostics of a running guest, from QEMU's counters and the kernel's. */
import { readFile } from 'node:fs/promises'
import type { Machine } from './command-line.ts'
import { uptimeSeconds } from './process.ts'
import type { Session } from './session.ts'

interface BlockStats {
  'node-name'?: string
  qdev?: string
  stats: {
    rd_bytes: number
    rd_operations: number
    wr_bytes: number
    wr_operations: number
    failed_rd_operations: number
    failed_wr_operations: number
  }
}

interface Cpu {
  'cpu-index': number
  'thread-id': number
}

/** Kernel clock ticks are 10 ms on every Linux that matters (USER_HZ). */
const nanosecondsPerTick = 10_000_000

export async function readDiagnostics(machine: Machine, session: Session): Promise<Record<string, unknown>> {
  const { pid } = session.process
  const cpus = await session.execute<Cpu[]>('query-cpus-fast')
  const disks = await session.execute<BlockStats[]>('query-blockstats')
  const interfaces = await networkCounters(pid)
  // QEMU's own memory is beside its guest's.
  const maximum = machine.spec.memory_mb
  return {
    state: session.status,
    driver: 'qemu',
    hypervisor: machine.accel === 'kvm' ? 'kvm' : 'qemu',
    hypervisor_os: 'linux',
    uptime: await uptimeSeconds(session.process),
    config_drive: machine.config_drive,
    num_cpus: cpus.length,
    num_nics: machine.spec.nics.length,
    num_disks: machine.disks.length,
    memory_details: { maximum, used: Math.min(maximum, Math.round((await residentBytes(pid)) / 1024 / 1024)) },
    cpu_details: await Promise.all(
      cpus.map(async cpu => ({
        id: cpu['cpu-index'],
        time: await threadTime(pid, cpu['thread-id']),
        utilisation: null,
      })),
    ),
    disk_details: disks
      .filter(disk => !disk.qdev?.includes('config-drive'))
      .map(({ stats }) => ({
        read_bytes: stats.rd_bytes,
        read_requests: stats.rd_operations,
        write_bytes: stats.wr_bytes,
        write_requests: stats.wr_operations,
        errors_count: stats.failed_rd_operations + stats.failed_wr_operations,
      })),
    nic_details: machine.spec.nics.map(nic => ({ mac_address: nic.mac, ...interfaces.get(nic.tap?.name ?? '') })),
  }
}

async function residentBytes(pid: number): Promise<number> {
  const [, pages = '0'] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')
  return Number(pages) * 4096
}

/** Nanoseconds that the CPU's thread ran, in the guest and for it. */
async function threadTime(pid: number, thread: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * nanosecondsPerTick
}

/** Counters of the taps in QEMU's namespace, seen from the guest: what the tap sends the guest receives. */
async function networkCounters(pid: number): Promise<Map<string, Record<string, number>>> {
  const counters = new Map<string, Record<string, number>>()
  for (const line of (await readFile(`/proc/${pid}/net/dev`, 'utf8')).split('\n').slice(2)) {
    const [name, values] = line.split(':')
    if (!name || !values) continue
    const n = values.trim().split(/\s+/).map(Number)
    const tap = { bytes: n[0] ?? 0, packets: n[1] ?? 0, errors: n[2] ?? 0, drop: n[3] ?? 0 }
    const guest = { bytes: n[8] ?? 0, packets: n[9] ?? 0, errors: n[10] ?? 0, drop: n[11] ?? 0 }
    counters.set(name.trim(), {
      rx_octets: guest.bytes,
      rx_packets: guest.packets,
      rx_errors: guest.errors,
      rx_drop: guest.drop,
      tx_octets: tap.bytes,
      tx_packets: tap.packets,
      tx_errors: tap.errors,
      tx_drop: tap.drop,
    })
  }
  return counters
}
