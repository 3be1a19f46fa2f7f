/** What this host has and can do, asked of QEMU and of the kernel. */
import { execFile } from 'node:child_process'
import { readFile, statfs } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { cpuTraits } from '../cpu-traits.ts'
import { GuestError, type HostCell, type HostFacts } from '../driver.ts'
import { type Accel, cpuModelOf } from './command-line.ts'
import type { QemuHost } from './host.ts'
import { hostCells, hostDevices } from './host-cells.ts'
import { missing } from './run.ts'

export interface QemuVersion {
  text: string
  number: number
}

export interface Sizes {
  vcpus?: number
  memory_mb?: number
  disk_gb?: number
}

export async function qemuVersion(host: QemuHost): Promise<QemuVersion> {
  const text = await askQemu(host.qemu, ['--version'])
  const found = /version (\d+)\.(\d+)\.(\d+)/.exec(text)
  if (!found) throw new GuestError(`${host.qemu} does not say its version.`)
  const [major = 0, minor = 0, micro = 0] = found.slice(1).map(Number)
  return { text: `${major}.${minor}.${micro}`, number: major * 1_000_000 + minor * 1000 + micro }
}

export async function hostFacts(host: QemuHost, hostname: string, accel: Accel, sizes: Sizes): Promise<HostFacts> {
  const version = await qemuVersion(host)
  const features = await guestFeatures(host, accel)
  const count = cpus().length
  const cells = await hostCells()
  const { blocks, bsize } = await statfs(host.dir)
  return {
    hypervisor_type: 'QEMU',
    hypervisor_version: version.number,
    hypervisor_hostname: hostname,
    vcpus: sizes.vcpus ?? count,
    memory_mb: sizes.memory_mb ?? Math.floor(totalmem() / 1024 / 1024),
    disk_gb: sizes.disk_gb ?? Math.max(1, Math.floor((blocks * bsize) / 1024 ** 3)),
    cpu_info: {
      arch: 'x86_64',
      model: cpuModelOf(accel),
      vendor: /vendor_id\s*: (\S+)/.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown',
      features,
      topology: topologyOf(cells, count),
    },
    ...(cells && { cells }),
    devices: await hostDevices(),
    traits: [...computeTraits, ...(cells ? ['COMPUTE_SOCKET_PCI_NUMA_AFFINITY'] : []), ...cpuTraits(features)],
    capabilities: {
      suspend: true,
      migrate: false,
      live_migrate: false,
      snapshot: true,
      attach_interface: true,
      attach_volume: false,
      vnc: true,
      serial: true,
      spice: false,
    },
  }
}

/** As the kernel tells it; cores and threads are those of each socket and core. */
function topologyOf(cells: HostCell[] | undefined, count: number): HostFacts['cpu_info']['topology'] {
  if (!cells) return { cells: 1, sockets: 1, cores: count, threads: 1 }
  const sockets = new Set(cells.map(({ socket }) => socket)).size
  const cores = cells.flatMap(({ siblings }) => siblings)
  const threads = Math.max(1, ...cores.map(core => core.length))
  return { cells: cells.length, sockets, cores: Math.ceil(cores.length / sockets), threads }
}

const computeTraits = [
  'COMPUTE_NODE',
  'COMPUTE_NET_ATTACH_INTERFACE',
  ...['QCOW2', 'RAW', 'AMI', 'AKI', 'ARI', 'ISO', 'VMDK', 'VDI', 'VHD', 'VHDX'].map(
    type => `COMPUTE_IMAGE_TYPE_${type}`,
  ),
  'COMPUTE_STORAGE_BUS_VIRTIO',
  'COMPUTE_STORAGE_BUS_SCSI',
  'COMPUTE_STORAGE_BUS_SATA',
  'COMPUTE_NET_VIF_MODEL_VIRTIO',
  'COMPUTE_NET_VIF_MODEL_E1000',
  'COMPUTE_NET_VIF_MODEL_E1000E',
  'COMPUTE_NET_VIF_MODEL_RTL8139',
  'COMPUTE_GRAPHICS_MODEL_VGA',
]

/** Properties of QEMU's CPU that are switches of QEMU, not flags of the CPU. */
const notFlags = /^x-|^(check|enforce|kvm|migratable)$|cpuid|cache|level|mask/

/**
 * The flags of the CPU that guests get. Of KVM as well QEMU is asked: what the host's kernel has for itself it need not offer to guests.
 */
async function guestFeatures(host: QemuHost, accel: Accel): Promise<string[]> {
  const commands = [
    { execute: 'qmp_capabilities' },
    { execute: 'query-cpu-model-expansion', arguments: { type: 'full', model: { name: cpuModelOf(accel) } } },
    { execute: 'quit' },
  ]
  const args = [
    '-machine',
    'q35',
    '-accel',
    accel,
    '-S',
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-qmp',
    'stdio',
  ]
  const text = await askQemu(host.qemu, args, commands.map(command => JSON.stringify(command)).join('\n'))
  for (const line of text.split('\n')) {
    const props = line.startsWith('{') ? JSON.parse(line).return?.model?.props : undefined
    if (!props) continue
    const names = Object.keys(props).filter(name => props[name] === true && !notFlags.test(name))
    return [...new Set(names.map(name => name.replaceAll(/[.-]/g, '_')))].sort()
  }
  return []
}

function askQemu(program: string, args: string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { timeout: 30_000, killSignal: 'SIGKILL', maxBuffer: 4_194_304 },
      (error, stdout) => {
        if (!error) return resolve(stdout)
        if (error.code === 'ENOENT') return reject(missing(program.split('/').at(-1) ?? program))
        reject(new GuestError(`${program} does not work on this host.`, { cause: error }))
      },
    )
    child.stdin?.on('error', () => {}).end(input)
  })
}
