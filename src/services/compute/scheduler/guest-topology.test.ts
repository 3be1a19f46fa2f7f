/** What flavors and images ask of NUMA, CPUs and pages, and what they may not ask together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuList, cpuSet } from './cpu-set.ts'
import { cpuTopology } from './cpu-topology.ts'
import { guestTopology } from './guest-topology.ts'

const wishes = (flavor: Record<string, string>, image: Record<string, string> = {}, vcpus = 4, ram_mb = 2048) => ({
  vcpus,
  ram_mb,
  extra_specs: Object.fromEntries(Object.entries(flavor).map(([name, value]) => [`hw:${name}`, value])),
  image_properties: Object.fromEntries(Object.entries(image).map(([name, value]) => [`hw_${name}`, value])),
})

test('lists of CPUs are read and written', () => {
  assert.deepEqual(cpuSet('0-3,^2,8'), [0, 1, 3, 8])
  assert.equal(cpuSet('1-x'), undefined)
  assert.equal(cpuSet('0-99999999'), undefined)
  assert.equal(cpuList([8, 0, 1, 3, 2]), '0-3,8')
})

test('a guest that asks for nothing has no topology', () => {
  assert.equal(guestTopology(wishes({})), undefined)
  assert.equal(guestTopology(wishes({ cpu_policy: 'shared' })), undefined)
})

test('nodes are even by themselves, or as they are described', () => {
  assert.deepEqual(guestTopology(wishes({ numa_nodes: '2' }))?.cells, [
    { id: 0, vcpus: [0, 1], memory_mb: 1024 },
    { id: 1, vcpus: [2, 3], memory_mb: 1024 },
  ])
  const described = {
    numa_nodes: '2',
    'numa_cpus.0': '0',
    'numa_cpus.1': '1-3',
    'numa_mem.0': '512',
    'numa_mem.1': '1536',
  }
  assert.deepEqual(guestTopology(wishes(described))?.cells, [
    { id: 0, vcpus: [0], memory_mb: 512 },
    { id: 1, vcpus: [1, 2, 3], memory_mb: 1536 },
  ])
  assert.equal(guestTopology(wishes({}, { numa_nodes: '2' }))?.cells.length, 2)
})

test('dedicated, mixed and realtime vCPUs are told apart', () => {
  const dedicated = (flavor: Record<string, string>, image = {}) => [
    ...guestTopology(wishes(flavor, image))!.cpu.dedicated,
  ]
  assert.deepEqual(dedicated({ cpu_policy: 'dedicated' }), [0, 1, 2, 3])
  assert.deepEqual(dedicated({}, { cpu_policy: 'dedicated' }), [0, 1, 2, 3])
  assert.deepEqual(dedicated({ cpu_policy: 'mixed', cpu_dedicated_mask: '^0' }), [1, 2, 3])
  assert.deepEqual(dedicated({ cpu_policy: 'mixed', cpu_realtime: 'yes', cpu_realtime_mask: '2-3' }), [2, 3])
  const realtime = guestTopology(wishes({ cpu_policy: 'dedicated', cpu_realtime: 'true', cpu_realtime_mask: '^0' }))
  assert.deepEqual(realtime?.cpu.realtime, [1, 2, 3])
})

test('pages have names and sizes', () => {
  const size = (flavor: string, image?: string) =>
    guestTopology(wishes({ mem_page_size: flavor }, image ? { mem_page_size: image } : {}))?.page_size
  assert.equal(size('large'), 'large')
  assert.equal(size('2048'), 2048)
  assert.equal(size('2MB'), 2048)
  assert.equal(size('1GiB'), 1_048_576)
  assert.equal(size('large', '2MB'), 2048)
})

const refused: [what: string, flavor: Record<string, string>, image: Record<string, string>, says: string][] = [
  [
    'nodes by both',
    { numa_nodes: '2' },
    { numa_nodes: '2' },
    "Image property 'hw_numa_nodes' is not permitted to override NUMA configuration set against the flavor",
  ],
  [
    'no number of nodes',
    {},
    { numa_nodes: 'two' },
    "The property 'numa_nodes' cannot be 'two'. It must be a number greater than 0",
  ],
  [
    'uneven nodes',
    { numa_nodes: '3' },
    {},
    'Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of CPUs and memory to nodes is required',
  ],
  [
    'CPUs without memory',
    { numa_nodes: '1', 'numa_cpus.0': '0-3' },
    {},
    'CPU and memory allocation must be provided for all NUMA nodes',
  ],
  [
    'a CPU too many',
    { numa_nodes: '1', 'numa_cpus.0': '0-4', 'numa_mem.0': '2048' },
    {},
    'CPU number 4 is larger than max 3',
  ],
  [
    'a CPU twice',
    { numa_nodes: '2', 'numa_cpus.0': '0-1', 'numa_cpus.1': '1-3', 'numa_mem.0': '1024', 'numa_mem.1': '1024' },
    {},
    'CPU number 1 is assigned to two nodes',
  ],
  [
    'a CPU nowhere',
    { numa_nodes: '1', 'numa_cpus.0': '0-1', 'numa_mem.0': '2048' },
    {},
    'CPU number {2, 3} is not assigned to any node',
  ],
  [
    'another memory',
    { numa_nodes: '1', 'numa_cpus.0': '0-3', 'numa_mem.0': '1024' },
    {},
    '1024 MB of memory assigned, but expected 2048 MB',
  ],
  [
    'pinning of the image',
    { cpu_policy: 'shared' },
    { cpu_policy: 'dedicated' },
    "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the flavor",
  ],
  [
    'another thread policy',
    { cpu_policy: 'dedicated', cpu_thread_policy: 'isolate' },
    { cpu_thread_policy: 'require' },
    "Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy set against the flavor",
  ],
  [
    'threads without pinning',
    { cpu_thread_policy: 'isolate' },
    {},
    'Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy',
  ],
  [
    'emulator without pinning',
    { emulator_threads_policy: 'isolate' },
    {},
    'An isolated CPU emulator threads option requires a dedicated CPU policy option.',
  ],
  [
    'realtime without pinning',
    { cpu_realtime: 'yes', cpu_realtime_mask: '^0' },
    {},
    'Cannot set realtime policy in a non dedicated cpu pinning policy',
  ],
  [
    'realtime of all',
    { cpu_policy: 'dedicated', cpu_realtime: 'yes' },
    {},
    'Use of realtime CPUs requires either one or more non-realtime CPU(s) or offloaded emulator threads.',
  ],
  [
    'mixed with all',
    { cpu_policy: 'mixed', cpu_dedicated_mask: '0-3' },
    {},
    "Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See 'hw:cpu_dedicated_mask'.",
  ],
  [
    'a mask alone',
    { cpu_policy: 'dedicated', cpu_dedicated_mask: '0' },
    {},
    "Cannot specify 'hw:cpu_dedicated_mask' without 'hw:cpu_policy=mixed'.",
  ],
  ['pages of the image', {}, { mem_page_size: 'large' }, "Page size large forbidden against '<empty>'"],
  ['other pages', { mem_page_size: 'small' }, { mem_page_size: 'large' }, "Page size large forbidden against 'small'"],
  ['no pages', { mem_page_size: 'huge' }, {}, "Invalid memory page size 'huge'"],
  [
    'locked memory',
    { locked_memory: 'true' },
    {},
    'locked_memory value in image or flavor is forbidden when mem_page_size is not set.',
  ],
]
for (const [what, flavor, image, message] of refused)
  test(`refused: ${what}`, () =>
    assert.throws(() => guestTopology(wishes(flavor, image)), { name: 'BadTopology', message }))

test('sockets, cores and threads are as preferred, within limits', () => {
  assert.deepEqual(cpuTopology(wishes({})), { sockets: 4, cores: 1, threads: 1 })
  assert.deepEqual(cpuTopology(wishes({ cpu_sockets: '1', cpu_threads: '2' })), { sockets: 1, cores: 2, threads: 2 })
  assert.deepEqual(cpuTopology(wishes({ cpu_max_sockets: '2' }, { cpu_cores: '2' })), {
    sockets: 2,
    cores: 2,
    threads: 1,
  })
  assert.deepEqual(cpuTopology(wishes({}), 2), { sockets: 2, cores: 1, threads: 2 })
  assert.throws(() => cpuTopology(wishes({ cpu_max_sockets: '2' }, { cpu_max_sockets: '4' })), {
    message:
      'Image vCPU topology limits (sockets=4, cores=-1, threads=-1) exceeds the limits of the flavor (sockets=2, cores=65536, threads=65536)',
  })
  assert.throws(() => cpuTopology(wishes({ cpu_max_sockets: '1', cpu_max_cores: '1', cpu_max_threads: '2' })), {
    message: 'Requested vCPU limits 1:1:2 are impossible to satisfy for vcpus count 4',
  })
})
