/** Rules about NUMA cells, CPUs, pages and devices of hosts. */
import { cpuList } from './cpu-set.ts'
import type { Filter } from './filters.ts'
import { type FitHost, fitOnHost } from './fit.ts'
import type { GuestTopology } from './guest-topology.ts'
import type { PciRequest } from './pci.ts'

const nothing: FitHost = { cells: [], devices: [], cpu_ratio: 1, ram_ratio: 1 }

export const numaTopologyFilter: Filter = (host, { topology }) => {
  if (!topology) return undefined
  const fitted = fitOnHost(topology, [], host.numa ?? nothing)
  return 'fit' in fitted ? undefined : { asked: topologyTold(topology), had: fitted.lacks }
}

export const pciPassthroughFilter: Filter = (host, { topology, devices = [] }) => {
  if (devices.length === 0) return undefined
  const fitted = fitOnHost(topology, devices, host.numa ?? nothing)
  return 'fit' in fitted ? undefined : { asked: devicesTold(devices), had: fitted.lacks }
}

function topologyTold({ cells, page_size, cpu }: GuestTopology): string {
  const each = cells.map(({ vcpus, memory_mb }) => `vCPUs ${cpuList(vcpus)} with ${memory_mb} MiB`)
  const policy = cpu.policy === 'shared' ? '' : `, ${cpu.policy} CPUs${cpu.threads ? ` (${cpu.threads})` : ''}`
  return `${each.join('; ')}${policy}${page_size === undefined ? '' : `, pages: ${page_size}`}`
}

const devicesTold = (devices: readonly PciRequest[]) =>
  devices.map(({ count, alias, resource_class }) => `${count} ${alias} (${resource_class})`).join(', ')
