/** What the extra specs that are known may hold; checked from 2.86 on. Names of other namespaces, or of none, may hold anything. */
import { BadRequest } from '#kernel/errors.ts'
import { booleanOf } from '../dialect.ts'

type Check = (value: string) => string | undefined

const text: Check = () => undefined

const truth: Check = value =>
  booleanOf(value) === undefined ? `'${value}' is not a valid boolean-like value.` : undefined

function whole(min?: number, max?: number): Check {
  return value => {
    if (!/^\s*[+-]?\d+\s*$/.test(value)) return `'${value}' is not a valid integer value.`
    const number = BigInt(value.trim().replace('+', ''))
    if (max !== undefined && number > BigInt(max)) return `'${number}' is greater than the max value of '${max}'.`
    if (min !== undefined && number < BigInt(min)) return `'${number}' is less than the min value of '${min}'.`
    return undefined
  }
}

const oneOf =
  (...values: string[]): Check =>
  value =>
    values.includes(value) ? undefined : `'${value}' is not one of: ${values.join(', ')}.`

const like =
  (pattern: string): Check =>
  value =>
    new RegExp(`^(?:${pattern})$`).test(value) ? undefined : `'${value}' is not of the format '${pattern}'.`

const shares = oneOf('custom', 'high', 'normal', 'low')
const cpuMap = like('\\^?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*')

/** By namespace, then by the rest of the name. */
const named: Record<string, Record<string, Check>> = {
  accel: { device_profile: text },
  capabilities: Object.fromEntries(
    [
      ...['id', 'uuid', 'service_id', 'host', 'vcpus', 'memory_mb', 'local_gb', 'vcpus_used', 'memory_mb_used'],
      ...['local_gb_used', 'hypervisor_type', 'hypervisor_version', 'hypervisor_hostname', 'free_ram_mb'],
      ...['free_disk_gb', 'current_workload', 'running_vms', 'disk_available_least', 'host_ip', 'mapped'],
      ...['cpu_allocation_ratio', 'ram_allocation_ratio', 'disk_allocation_ratio', 'total_usable_ram_mb'],
      ...['total_usable_disk_gb', 'disk_mb_used', 'free_disk_mb', 'vcpus_total', 'num_instances', 'num_io_ops'],
      ...['failed_builds', 'aggregates', 'cell_uuid', 'updated'],
    ].map(name => [name, text]),
  ),
  hw: {
    boot_menu: truth,
    cpu_cores: whole(1),
    cpu_dedicated_mask: cpuMap,
    cpu_max_cores: whole(1),
    cpu_max_sockets: whole(1),
    cpu_max_threads: whole(1),
    cpu_policy: oneOf('dedicated', 'shared', 'mixed'),
    cpu_realtime: truth,
    cpu_realtime_mask: like('(\\^)?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*'),
    cpu_sockets: whole(1),
    cpu_thread_policy: oneOf('prefer', 'isolate', 'require'),
    cpu_threads: whole(1),
    emulator_threads_policy: oneOf('isolate', 'share'),
    ephemeral_encryption: truth,
    ephemeral_encryption_format: oneOf('plain', 'luks', 'luksv2'),
    hide_hypervisor_id: truth,
    locked_memory: truth,
    mem_encryption: truth,
    mem_encryption_model: oneOf('amd-sev', 'amd-sev-es', 'amd-sev-snp'),
    mem_page_size: like('(large|small|any|\\d+([kKMGT]i?)?(b|bit|B)?)'),
    numa_nodes: whole(1),
    pci_numa_affinity_policy: oneOf('required', 'preferred', 'legacy', 'socket'),
    pmem: like('([a-zA-Z0-9_]+(,)?)+'),
    pmu: truth,
    redirected_usb_ports: whole(0, 15),
    serial_port_count: whole(0),
    sound_model: oneOf('sb16', 'es1370', 'pcspk', 'ac97', 'ich6', 'ich9', 'usb', 'virtio'),
    tpm_model: oneOf('tpm-tis', 'tpm-crb'),
    tpm_secret_security: oneOf('user', 'host', 'deployment'),
    tpm_version: oneOf('1.2', '2.0'),
    usb_model: oneOf('none', 'nec-xhci', 'qemu-xhci'),
    vif_multiqueue_enabled: truth,
    viommu_model: oneOf('intel', 'smmuv3', 'virtio', 'auto'),
    virtio_packed_ring: truth,
    watchdog_action: oneOf('none', 'pause', 'poweroff', 'reset', 'disabled'),
  },
  hw_rng: { allowed: truth, rate_bytes: whole(0), rate_period: whole(0) },
  hw_video: { ram_max_mb: whole(0) },
  os: { secure_boot: oneOf('disabled', 'required') },
  pci_passthrough: { alias: like('[^:]+:\\d+(?:\\s*,\\s*[^:]+:\\d+)*') },
  quota: {
    ...Object.fromEntries(
      ['cpu', 'memory', 'disk_io', 'vif'].flatMap(what => [
        [`${what}_limit`, whole(0)],
        [`${what}_reservation`, whole()],
        [`${what}_shares_level`, shares],
        [`${what}_shares_share`, whole(0)],
      ]),
    ),
    ...Object.fromEntries(
      [
        ...['cpu_shares', 'cpu_period', 'disk_read_bytes_sec', 'disk_read_iops_sec', 'disk_write_bytes_sec'],
        ...['disk_write_iops_sec', 'disk_total_bytes_sec', 'disk_total_iops_sec', 'vif_inbound_average'],
        ...['vif_inbound_peak', 'vif_inbound_burst', 'vif_outbound_average', 'vif_outbound_peak'],
        'vif_outbound_burst',
      ].map(name => [name, whole(0)]),
    ),
    cpu_quota: whole(),
  },
  vmware: { hw_version: text, storage_policy: text },
}

const withoutNamespace: Record<string, Check> = { hide_hypervisor_id: truth, group_policy: oneOf('isolate', 'none') }

/** Names with a part that may be anything. */
const patterns: [pattern: RegExp, check: Check][] = [
  [/^aggregate_instance_extra_specs:.+$/, text],
  [
    /^capabilities:(cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|supported_instances|limits|instances)(:\w+)*$/,
    text,
  ],
  [/^hw:numa_cpus\.\d+$/, cpuMap],
  [/^hw:numa_mem\.\d+$/, whole(1)],
]

const requiredOrNot = oneOf('required', 'forbidden')

/** Which names placement has by itself. */
export interface KnownNames {
  traits: ReadonlySet<string>
  resourceClasses: ReadonlySet<string>
}

function checkOf(name: string, known: KnownNames): Check | undefined {
  const [namespace, ...rest] = name.split(':')
  const end = rest.join(':')
  if (rest.length === 0) return Object.hasOwn(withoutNamespace, name) ? withoutNamespace[name] : text
  const [, kind] = /^(resources|trait)[a-zA-Z0-9_-]{0,64}$/.exec(namespace!) ?? []
  if (kind !== undefined) {
    const names = kind === 'trait' ? known.traits : known.resourceClasses
    if (!names.has(end) && !/^CUSTOM_[A-Z0-9_]+$/.test(end)) return undefined
    return kind === 'trait' ? requiredOrNot : whole()
  }
  const byName = Object.hasOwn(named, namespace!) ? named[namespace!]! : undefined
  if (byName && Object.hasOwn(byName, end)) return byName[end]
  const pattern = patterns.find(([expression]) => expression.test(name))
  if (pattern) return pattern[1]
  const taken = byName !== undefined || namespace === 'aggregate_instance_extra_specs'
  return taken ? undefined : text
}

/** Throws for a known name with a value that it cannot have, and for an unknown name in a namespace that is known whole. */
export function checkExtraSpec(name: string, value: string, known: KnownNames): void {
  const check = checkOf(name, known)
  const problem = check ? check(value) : `extra spec '${name}' does not appear to be a valid extra spec.`
  if (problem !== undefined) throw new BadRequest(`Validation failed; ${problem}`)
}
