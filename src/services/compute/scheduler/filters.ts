/** Rules that a host must pass, under their upstream names. Each says what was asked and what the host had when it refuses. */
import { type CapabilityValue, satisfies } from './extra-specs.ts'
import type { HostState, ScheduleRequest } from './scheduler.ts'

/** Undefined: the host passes. */
export type Filter = (host: HostState, request: ScheduleRequest) => { asked: string; had: string } | undefined

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

const aggregateInstanceExtraSpecsFilter: Filter = (host, { extra_specs }) => {
  for (const [key, wanted] of Object.entries(extra_specs)) {
    const name = /^aggregate_instance_extra_specs:(.+)$/.exec(key)?.[1]
    if (!name) continue
    const had = host.aggregate_metadata[name] ?? []
    if (!had.some(value => satisfies(value, wanted))) {
      return { asked: `an aggregate with ${name} ${wanted}`, had: had.join(', ') || 'none' }
    }
  }
  return undefined
}

export const filtersByName: Record<string, Filter> = {
  ComputeFilter: computeFilter,
  AvailabilityZoneFilter: availabilityZoneFilter,
  ComputeCapabilitiesFilter: computeCapabilitiesFilter,
  AggregateInstanceExtraSpecsFilter: aggregateInstanceExtraSpecsFilter,
  ImagePropertiesFilter: imagePropertiesFilter,
  ServerGroupAntiAffinityFilter: serverGroupAntiAffinityFilter,
  ServerGroupAffinityFilter: serverGroupAffinityFilter,
  SameHostFilter: sameHostFilter,
  DifferentHostFilter: differentHostFilter,
  RamFilter: ramFilter,
  CoreFilter: coreFilter,
}
