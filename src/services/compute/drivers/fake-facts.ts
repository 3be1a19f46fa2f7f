/** What the fake driver says of its host and of its guests. */
import { cpuTraits } from './cpu-traits.ts'
import { type HostFacts, powerStates } from './driver.ts'
import type { FakeDriverOptions, FakeGuest } from './fake.ts'
import { filesystems } from './fake-agent.ts'
import { type FakeMachine, fakeMachine } from './fake-machine.ts'

export function hostFacts(options: FakeDriverOptions): HostFacts {
  const { vcpus = 64, memory_mb = 256 * 1024, machine } = options
  const flags = machine?.cpu_flags ?? []
  const { cells, devices } = machine ? fakeMachine({ vcpus, memory_mb }, machine) : {}
  return {
    hypervisor_type: 'fake',
    hypervisor_version: 1000000,
    hypervisor_hostname: options.hostname,
    vcpus,
    memory_mb,
    disk_gb: options.disk_gb ?? 4096,
    cpu_info: {
      arch: 'x86_64',
      model: 'simulated',
      vendor: 'none',
      features: [...flags],
      topology: topologyOf(vcpus, machine),
    },
    ...(cells && { cells }),
    ...(devices && { devices }),
    traits: [
      ...['COMPUTE_NODE', 'COMPUTE_NET_ATTACH_INTERFACE'],
      ...['QCOW2', 'RAW', 'ISO', 'VMDK', 'VDI', 'VHD', 'VHDX'].map(type => `COMPUTE_IMAGE_TYPE_${type}`),
      ...cpuTraits(flags),
    ],
    capabilities: {
      suspend: true,
      migrate: true,
      live_migrate: true,
      snapshot: true,
      attach_interface: true,
      attach_volume: false,
      vnc: true,
      serial: true,
      spice: false,
    },
  }
}

function topologyOf(vcpus: number, machine: FakeMachine | undefined) {
  const { numa_cells, threads_per_core: threads } = machine ?? { numa_cells: 1, threads_per_core: 1 }
  const sockets = Math.max(1, numa_cells)
  return { cells: sockets, sockets, cores: Math.floor(vcpus / sockets / threads), threads }
}

export function diagnostics(guest: FakeGuest, now: number, inside: boolean): Record<string, unknown> {
  const { spec } = guest
  const uptime = Math.floor((now - guest.started_at) / 1000)
  return {
    state: guest.power_state === powerStates.paused ? 'paused' : 'running',
    driver: 'fake',
    hypervisor: 'fake',
    hypervisor_os: 'none',
    uptime,
    config_drive: spec.config_drive !== undefined,
    num_cpus: spec.vcpus,
    num_nics: guest.nics.length,
    num_disks: spec.disks.length,
    memory_details: { maximum: spec.memory_mb, used: spec.memory_mb },
    cpu_details: Array.from({ length: spec.vcpus }, (_, id) => ({ id, time: uptime * 1e9, utilisation: 0 })),
    disk_details: spec.disks.map(() => ({
      read_bytes: 0,
      read_requests: 0,
      write_bytes: 0,
      write_requests: 0,
      errors_count: 0,
    })),
    nic_details: guest.nics.map(nic => ({
      mac_address: nic.mac,
      rx_octets: 0,
      rx_packets: 0,
      tx_octets: 0,
      tx_packets: 0,
    })),
    ...(inside && { filesystems: filesystems(guest) }),
  }
}
