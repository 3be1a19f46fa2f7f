/** Rules that a host must pass, under their upstream names. Each says what was asked and what the host had when it refuses. */
import { BlockList, isIPv6 } from 'node:net'
import {
  aggregateImagePropertiesIsolation,
  aggregateInstanceExtraSpecsFilter,
  aggregateMultiTenancyIsolation,
  aggregateTypeAffinityFilter,
} from './aggregate-filters.ts'
import { dedicatedHostFilter } from './dedicated-filter.ts'
import { type CapabilityValue, satisfies } from './extra-specs.ts'
import { jsonFilter } from './json-filter.ts'
import { aggregateIoOpsFilter, aggregateNumInstancesFilter, ioOpsFilter, numInstancesFilter } from './load-filters.ts'
import { placeFilter } from './places.ts'
import type { HostState, ScheduleRequest } from './scheduler.ts'
import { hostSignalsFilter } from './signals-filter.ts'
import { numaTopologyFilter, pciPassthroughFilter } from './topology-filters.ts'

/** What operators set for filters. */
export interface FilterSettings {
  max_instances_per_host: number
  max_io_ops_per_host: number
  isolated_hosts: string[]
  /** Ids. */
  isolated_images: string[]
  restrict_isolated_hosts_to_isolated_images: boolean
  /** `NAME SPEC`, the latter as in extra specs. */
  wanted_signals: string[]
}

/** Undefined: the host passes. */
export type Filter = (
  host: HostState,
  request: ScheduleRequest,
  settings: FilterSettings,
) => { asked: string; had: string } | undefined

const allHostsFilter: Filter = () => undefined

const computeFilter: Filter = host => {
  if (!host.enabled) return { asked: 'an enabled host', had: `disabled: ${host.disabled_reason ?? 'no reason given'}` }
  return host.up ? undefined : { asked: 'a host that is up', had: 'down: no report in time' }
}

const availabilityZoneFilter: Filter = (host, { zone }) =>
  zone === undefined || host.zone === zone ? undefined : { asked: zone, had: host.zone }

const ramFilter: Filter = (host, { ram_mb }) =>
  host.free_ram_mb >= ram_mb ? undefined : { asked: `${ram_mb} MiB`, had: `${host.free_ram_mb} MiB free` }

const coreFilter: Filter = (host, { vcpus }) =>
  host.free_vcpus >= vcpus ? undefined : { asked: `${vcpus} vCPUs`, had: `${host.free_vcpus} free` }

const sameHostFilter: Filter = (host, { same_host }) =>
  same_host === undefined || same_host.includes(host.host)
    ? undefined
    : { asked: `one of ${same_host.join(', ') || 'no host'}`, had: host.host }

const differentHostFilter: Filter = (host, { different_host }) =>
  different_host.includes(host.host) ? { asked: `none of ${different_host.join(', ')}`, had: host.host } : undefined

const serverGroupAntiAffinityFilter: Filter = (host, { group }) => {
  if (group?.policy !== 'anti-affinity') return undefined
  const present = group.members[host.host] ?? 0
  return present < group.max_per_host
    ? undefined
    : { asked: `at most ${group.max_per_host} of the group`, had: `${present} of the group` }
}

const serverGroupAffinityFilter: Filter = (host, { group }) => {
  if (group?.policy !== 'affinity') return undefined
  const hosts = Object.keys(group.members)
  return hosts.length === 0 || group.members[host.host]
    ? undefined
    : { asked: `the host of the group: ${hosts}`, had: host.host }
}

/** Other names of the architectures that images may ask for. */
const canonicalArch: Record<string, string> = { amd64: 'x86_64', x64: 'x86_64', arm64: 'aarch64', i386: 'i686' }
const archOf = (name: string) => canonicalArch[name.toLowerCase()] ?? name.toLowerCase()

const imagePropertiesFilter: Filter = (host, { image_properties: image }) => {
  const arch = image.hw_architecture ?? image.architecture
  if (arch && archOf(arch) !== archOf(host.arch)) return { asked: `architecture ${arch}`, had: host.arch }
  const type = (image.img_hv_type ?? image.hypervisor_type)?.toLowerCase()
  if (type === undefined) return undefined
  const had = host.hypervisor_type.toLowerCase()
  // Upstream's names: a QEMU host runs what was made for kvm too.
  const family = had === 'qemu' || had === 'kvm' ? ['qemu', 'kvm'] : [had]
  return !family.includes(type) ? { asked: `hypervisor ${type}`, had } : undefined
}

const capabilitiesOf = (host: HostState): Record<string, CapabilityValue> => ({
  'cpu_info:arch': host.arch,
  hypervisor_type: host.hypervisor_type,
  hypervisor_version: host.hypervisor_version,
  hypervisor_hostname: host.node,
})

const computeCapabilitiesFilter: Filter = (host, { extra_specs }) => {
  for (const [key, wanted] of Object.entries(extra_specs)) {
    const name = /^capabilities:(.+)$/.exec(key)?.[1]
    if (!name) continue
    const had = capabilitiesOf(host)[name]
    if (!satisfies(had, wanted)) return { asked: `${name} ${wanted}`, had: String(had ?? 'nothing of the name') }
  }
  return undefined
}

/** Some images run on some hosts only; as a rule these hosts run nothing else. */
const isolatedHostsFilter: Filter = (host, { image_id }, settings) => {
  const ofImage = image_id !== undefined && settings.isolated_images.includes(image_id)
  const ofHost = settings.isolated_hosts.includes(host.host)
  if (ofImage && !ofHost) return { asked: 'a host for isolated images', had: 'an ordinary host' }
  if (!ofImage && ofHost && settings.restrict_isolated_hosts_to_isolated_images)
    return { asked: 'an ordinary host', had: 'a host for isolated images' }
  return undefined
}

const simpleCidrAffinityFilter: Filter = (host, { near }) => {
  if (near === undefined || host.ip === undefined) return undefined
  const { address, prefix } = near
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  if (prefix > (family === 'ipv6' ? 128 : 32)) return { asked: `${address}/${prefix}`, had: host.ip }
  const range = new BlockList()
  range.addSubnet(address, prefix, family)
  return range.check(host.ip, isIPv6(host.ip) ? 'ipv6' : 'ipv4')
    ? undefined
    : { asked: `an address in ${address}/${prefix}`, had: host.ip }
}

export const filtersByName: Record<string, Filter> = {
  AllHostsFilter: allHostsFilter,
  ComputeFilter: computeFilter,
  AvailabilityZoneFilter: availabilityZoneFilter,
  ComputeCapabilitiesFilter: computeCapabilitiesFilter,
  AggregateInstanceExtraSpecsFilter: aggregateInstanceExtraSpecsFilter,
  AggregateImagePropertiesIsolation: aggregateImagePropertiesIsolation,
  AggregateMultiTenancyIsolation: aggregateMultiTenancyIsolation,
  AggregateTypeAffinityFilter: aggregateTypeAffinityFilter,
  AggregateNumInstancesFilter: aggregateNumInstancesFilter,
  AggregateIoOpsFilter: aggregateIoOpsFilter,
  NumInstancesFilter: numInstancesFilter,
  IoOpsFilter: ioOpsFilter,
  IsolatedHostsFilter: isolatedHostsFilter,
  JsonFilter: jsonFilter,
  HostSignalsFilter: hostSignalsFilter,
  PlaceFilter: placeFilter,
  DedicatedHostFilter: dedicatedHostFilter,
  SimpleCIDRAffinityFilter: simpleCidrAffinityFilter,
  ImagePropertiesFilter: imagePropertiesFilter,
  NUMATopologyFilter: numaTopologyFilter,
  PciPassthroughFilter: pciPassthroughFilter,
  ServerGroupAntiAffinityFilter: serverGroupAntiAffinityFilter,
  ServerGroupAffinityFilter: serverGroupAffinityFilter,
  SameHostFilter: sameHostFilter,
  DifferentHostFilter: differentHostFilter,
  RamFilter: ramFilter,
  CoreFilter: coreFilter,
}

/** Filters that ask what goes on with hosts: it is counted only for them. */
export const loadFilters: readonly string[] = [
  ...['NumInstancesFilter', 'AggregateNumInstancesFilter', 'IoOpsFilter', 'AggregateIoOpsFilter', 'JsonFilter'],
]
