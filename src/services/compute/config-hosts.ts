/** Configuration of hosts: `compute.hosts`, their PCI devices and simulated ones. */
import { Type } from '#kernel/schema/builders.ts'

export const hostsSection = Type.Object({
  down_after_seconds: Type.Integer({
    default: 60,
    minimum: 20,
    description: 'How long after its last report a host counts as down. Hosts report every 10 seconds.',
  }),
  cpu_allocation_ratio: Type.Number({
    default: 4,
    minimum: 0.1,
    description: 'How many vCPUs a host offers for each of its own.',
  }),
  ram_allocation_ratio: Type.Number({ default: 1, minimum: 0.1, description: 'The same for memory.' }),
  disk_allocation_ratio: Type.Number({ default: 1, minimum: 0.1, description: 'The same for disk.' }),
  reserved_memory_mb: Type.Integer({
    default: 512,
    minimum: 0,
    description: 'Memory of a host that guests do not get.',
  }),
  cpu_dedicated_set: Type.String({
    default: '',
    pattern: '^[0-9^, -]*$',
    description: 'CPUs of each host that are given out one by one to vCPUs with hw:cpu_policy dedicated: "4-15,^8".',
  }),
  cpu_shared_set: Type.String({
    default: '',
    pattern: '^[0-9^, -]*$',
    description: 'CPUs that all other vCPUs share. Without it these are all CPUs, or none where some are dedicated.',
  }),
})

/** What simulated hosts say that they have. */
export const simulatedSection = Type.Object({
  numa_cells: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 16,
    description: 'NUMA cells of each simulated host; 0: it says nothing of them.',
  }),
  threads_per_core: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 8,
    description: 'CPUs of each of its cores.',
  }),
  huge_pages: Type.Integer({ default: 0, minimum: 0, description: 'Pages of 2 MiB in each of its cells.' }),
  devices: Type.Array(Type.String({ pattern: '^[0-9a-f]{4}:[0-9a-f]{4}$' }), {
    default: [],
    description: 'PCI devices of each simulated host by vendor and product, such as "8086:1563".',
  }),
  cpu_flags: Type.Array(Type.String({ pattern: '^[a-z0-9._-]{1,40}$' }), {
    // What a guest may count on of servers of the last ten years: x86-64-v3.
    default: 'abm aes avx avx2 bmi1 bmi2 f16c fma mmx pclmulqdq sse sse2 sse3 sse4.1 sse4.2 ssse3'.split(' '),
    description: 'Flags of their CPUs, which placement has as traits: "avx2" is HW_CPU_X86_AVX2.',
  }),
})

export const pciSection = Type.Object({
  device_spec: Type.Array(Type.String(), {
    default: [],
    description:
      "Devices of hosts that guests may have, each a JSON object in upstream's words: vendor_id, product_id, address (with *), resource_class, traits.",
  }),
  alias: Type.Array(Type.String(), {
    default: [],
    description:
      'Names under which flavors ask for them in pci_passthrough:alias, each a JSON object: name, vendor_id and product_id or resource_class, traits, numa_policy, live_migratable.',
  }),
})

export const deletedFilesSection = Type.Object(
  {
    days: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 3650,
      description:
        'How long the disks of a deleted server stay on its host, where an admin can make an image of them; 0: they go at once. Encrypted ones always do.',
    }),
    keep_free_percent: Type.Integer({
      default: 10,
      minimum: 0,
      maximum: 100,
      description: "While less of the host's disk is free the oldest of them go, whatever their time.",
    }),
  },
  { description: 'Files of deleted servers on their hosts.' },
)
