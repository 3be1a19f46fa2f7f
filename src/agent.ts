/** The composition root of the host half: chooses the drivers and starts the agents of one host. */
import { mkdir, symlink, unlink } from 'node:fs/promises'
import type { Bus } from '#kernel/bus/bus.ts'
import type { Clock } from '#kernel/clock.ts'
import type { Config } from '#kernel/config/load.ts'
import type { Log } from '#kernel/log.ts'
import type { SnapshotSink } from './services/compute/agent/agent.ts'
import { computeAgent } from './services/compute/agent/agent.ts'
import { machineState } from './services/compute/agent/machine.ts'
import type { MachineState } from './services/compute/agent/methods.ts'
import { computeConfig } from './services/compute/config.ts'
import type { ImageSource, VirtDriver } from './services/compute/drivers/driver.ts'
import { networkAgent } from './services/network/agent/agent.ts'
import type { DataPlane } from './services/network/drivers/driver.ts'
import type { PhysicalNetwork } from './services/network/drivers/linux/plan.ts'

export interface HostOptions {
  /** The host's name in the cloud. */
  host: string
  bus: Bus
  clock: Clock
  log: Log
  driver: VirtDriver
  plane: DataPlane
  images: ImageSource
  uploads: SnapshotSink
  /** What is told of the machine below; absent: this one is looked at. */
  machine?: () => MachineState
  /** Disposing removes guests and networks. */
  ephemeral: boolean
}

const keptMs = 1_000

/** The same for all simulated hosts of a process: a look takes a millisecond, and there may be ten thousand of them. */
export function sharedMachineState(clock: Clock): () => MachineState {
  let state: MachineState | undefined
  let until = 0
  return () => {
    const now = clock.monotonic()
    if (state && now < until) return state
    state = machineState()
    until = now + keptMs
    return state
  }
}

/** Begins to serve as a host. Unless it is ephemeral, disposing leaves guests and their networks running; they are adopted at the next start. */
export async function startHost(options: HostOptions): Promise<AsyncDisposable> {
  const { host, bus, clock, log, driver, plane, uploads, machine } = options
  const network = await networkAgent({ bus, host, plane, clock, log })
  const compute = await computeAgent({ bus, host, driver, clock, log, uploads, ...(machine && { machine }) })
  return {
    async [Symbol.asyncDispose]() {
      await compute[Symbol.asyncDispose]()
      await network[Symbol.asyncDispose]()
      if (options.ephemeral) await purge(options)
      await driver[Symbol.asyncDispose]()
      await plane[Symbol.asyncDispose]()
    },
  }
}

async function purge({ driver, plane }: HostOptions): Promise<void> {
  for (const { id } of await driver.list()) await driver.destroy(id)
  await plane.purge()
}

export interface RealDrivers {
  host: string
  clock: Clock
  log: Log
  images: ImageSource
  /** A Linux kernel to try KVM with; the host's own by default. */
  probeKernel: string | undefined
  /** Folder of this host's guests. */
  dir: string
  /** Begins the names of all that the data plane makes on this machine. */
  prefix: string
  physicalNetworks: Readonly<Record<string, PhysicalNetwork>>
  config: Config
}

/** QEMU's sockets are made below the guests' folder and a socket's path may have 107 bytes: long folders get a short name. */
async function shortPath(dir: string, prefix: string): Promise<string> {
  if (Buffer.byteLength(dir) <= 50) return dir
  const short = `/run/nephos-${prefix}`
  await unlink(short).catch(() => {})
  await symlink(dir, short)
  return short
}

export async function makeDriver(kind: 'qemu' | 'fake', options: RealDrivers): Promise<VirtDriver> {
  const { host, clock, log, images } = options
  if (kind === 'fake') {
    const { fakeDriver } = await import('./services/compute/drivers/fake.ts')
    const { keptGuests } = await import('./services/compute/drivers/fake-guests.ts')
    const machine = options.config.of(computeConfig).simulated
    return fakeDriver({ clock, hostname: host, machine, ...keptGuests(options.dir) })
  }
  await mkdir(options.dir, { recursive: true })
  const dir = await shortPath(options.dir, options.prefix)
  const { qemuDriver } = await import('./services/compute/drivers/qemu/qemu.ts')
  const probe = options.probeKernel === undefined ? {} : { probe_kernel: options.probeKernel }
  return qemuDriver({ dir, hostname: host, log, clock, images, accel: 'auto', ...probe })
}

export async function makePlane(kind: 'linux' | 'fake', options: RealDrivers): Promise<DataPlane> {
  const { clock, log, prefix } = options
  if (kind === 'fake') return (await import('./services/network/drivers/fake.ts')).fakePlane({ clock, alone: true })
  const dir = `/run/nephos-${prefix}-plane`
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const { linuxPlane } = await import('./services/network/drivers/linux/plane.ts')
  return linuxPlane({
    prefix,
    dir,
    log,
    clock,
    physical_networks: options.physicalNetworks,
    nodePath: process.execPath,
  })
}
