/** Guests with cells, CPUs, pages and devices of their own find their place on a host, or are told what it lacks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CellState, type FitHost, fitOnHost } from './fit.ts'
import { pickCpus } from './fit-cpus.ts'
import { host, request, settings, weights } from './fixtures/snapshot.ts'
import { guestTopology } from './guest-topology.ts'
import { offeredDevices, type PciRequest, pciAliases, pciRequests } from './pci.ts'
import { schedule } from './scheduler.ts'

/** Cells of four dedicated CPUs in two cores, and four shared ones. */
const cell = (id: number, patch: Partial<CellState> = {}): CellState => {
  const first = id * 8
  const cpus = Array.from({ length: 8 }, (_, index) => first + index)
  return {
    ...{ id, socket: id, shared: cpus.slice(4), dedicated: cpus.slice(0, 4), memory_mb: 4096, pages: [] },
    siblings: [0, 2, 4, 6].map(core => [first + core, first + core + 1]),
    ...{ pinned: new Set<number>(), shared_used: 0, memory_used_mb: 0, pages_used: {} },
    ...patch,
  }
}

const machine = (cells: CellState[], devices: FitHost['devices'] = []): FitHost => ({
  ...{ cells, devices, cpu_ratio: 4, ram_ratio: 1 },
})

const topology = (flavor: Record<string, string>, vcpus = 4, ram_mb = 2048) =>
  guestTopology({
    vcpus,
    ram_mb,
    extra_specs: Object.fromEntries(Object.entries(flavor).map(([name, value]) => [`hw:${name}`, value])),
    image_properties: {},
  })

test('each cell of a pinned guest lies in a cell of its host, on CPUs of whole cores', () => {
  const fitted = fitOnHost(topology({ numa_nodes: '2', cpu_policy: 'dedicated' }), [], machine([cell(0), cell(1)]))
  assert.ok('fit' in fitted)
  assert.deepEqual(
    fitted.fit.cells.map(({ host_cell, pins, memory_mb, threads }) => ({ host_cell, pins, memory_mb, threads })),
    [
      { host_cell: 0, pins: { 0: 0, 1: 1 }, memory_mb: 1024, threads: 2 },
      { host_cell: 1, pins: { 2: 8, 3: 9 }, memory_mb: 1024, threads: 2 },
    ],
  )
})

test('CPUs that others have are not given again', () => {
  const guest = topology({ cpu_policy: 'dedicated' }, 2, 512)
  const first = cell(0, { pinned: new Set([0, 1]) })
  const fitted = fitOnHost(guest, [], machine([first]))
  assert.deepEqual('fit' in fitted && fitted.fit.cells[0]?.pins, { 0: 2, 1: 3 })
  const full = fitOnHost(guest, [], machine([cell(0, { pinned: new Set([0, 1, 2]) })]))
  assert.deepEqual(full, { lacks: 'cell 0: 1 of 4 dedicated CPUs free' })
})

test('threads: preferred to share a core, required to, or isolated', () => {
  const busy = { ...cell(0), pinned: new Set([1]) }
  assert.deepEqual(pickCpus(busy, 2, undefined, false)?.cpus, [2, 3])
  assert.deepEqual(pickCpus(busy, 3, 'prefer', false)?.cpus, [0, 2, 3])
  assert.equal(pickCpus(busy, 3, 'require', false), undefined)
  assert.deepEqual(pickCpus(cell(0), 2, 'isolate', false), { cpus: [0, 2], emulator: [], threads: 1 })
  assert.equal(pickCpus(cell(0), 3, 'isolate', false), undefined)
  assert.deepEqual(pickCpus(cell(0), 2, 'require', true), { cpus: [0, 1], emulator: [2], threads: 2 })
  assert.equal(pickCpus(cell(0), 4, undefined, true), undefined)
})

test('a mixed guest has some CPUs for itself and shares the others', () => {
  const guest = topology({ cpu_policy: 'mixed', cpu_dedicated_mask: '2-3' })
  const fitted = fitOnHost(guest, [], machine([cell(0)]))
  assert.ok('fit' in fitted)
  assert.deepEqual(fitted.fit.cells[0]?.pins, { 2: 0, 3: 1 })
  assert.equal(fitted.fit.cells[0]?.shared_vcpus, 2)
  const full = fitOnHost(guest, [], machine([cell(0, { shared_used: 15 })]))
  assert.deepEqual(full, { lacks: 'cell 0: 4 shared CPUs for 15 vCPUs and 2 more' })
})

test('pages: the largest that do, of those that are free', () => {
  const pages = [
    { size_kb: 2048, total: 600 },
    { size_kb: 1_048_576, total: 1 },
  ]
  const page = (size: string, patch: Partial<CellState> = {}, ram = 1024) => {
    const fitted = fitOnHost(topology({ mem_page_size: size }, 4, ram), [], machine([cell(0, { pages, ...patch })]))
    return 'fit' in fitted ? fitted.fit.cells[0]?.page_kb : fitted.lacks
  }
  assert.equal(page('large'), 1_048_576)
  assert.equal(page('large', { pages_used: { 1048576: 1 } }), 2048)
  assert.equal(page('large', {}, 1025), 'cell 0: too few pages (600 of 2048 KiB, 1 of 1048576 KiB, 479232 of 4 KiB)')
  assert.equal(page('any', {}, 1025), 4)
  assert.equal(page('small'), 4)
  assert.equal(page('2048'), 2048)
})

const aliases = pciAliases([
  '{"name": "nic", "vendor_id": "8086", "product_id": "1563"}',
  '{"name": "gpu", "resource_class": "gpu", "numa_policy": "preferred"}',
])
const asked = (alias: string, flavor = {}): PciRequest[] =>
  pciRequests(
    { vcpus: 1, ram_mb: 1, extra_specs: { 'pci_passthrough:alias': alias, ...flavor }, image_properties: {} },
    aliases,
  )

test('devices are offered by their kind or their address, and asked for by alias', () => {
  const found = [
    { address: '0000:81:00.0', vendor_id: '8086', product_id: '1563', cell: 1 },
    { address: '0000:82:00.0', vendor_id: '10de', product_id: '1eb8' },
    { address: '0000:00:02.0', vendor_id: '1234', product_id: '1111', cell: 0 },
  ]
  const specs = ['{"vendor_id": "8086", "product_id": "1563"}', '{"address": "*:82:00.*", "resource_class": "gpu"}']
  assert.deepEqual(offeredDevices(found, specs), [
    { address: '0000:81:00.0', resource_class: 'CUSTOM_PCI_8086_1563', traits: [], cell: 1 },
    { address: '0000:82:00.0', resource_class: 'CUSTOM_GPU', traits: [], cell: undefined },
  ])
  assert.deepEqual(
    asked('nic:2, gpu:1').map(({ count, resource_class, numa_policy }) => [count, resource_class, numa_policy]),
    [
      [2, 'CUSTOM_PCI_8086_1563', 'legacy'],
      [1, 'CUSTOM_GPU', 'preferred'],
    ],
  )
  assert.throws(() => asked('fpga:1'), { message: 'PCI alias fpga is not defined' })
  assert.throws(() => pciAliases(['{"name": 1}']), /no JSON object of strings/)
})

test('a device is next to the guest, or where its policy lets it be', () => {
  const nic = (at: number | undefined) => ({
    ...{ address: `0000:8${at}:00.0`, resource_class: 'CUSTOM_PCI_8086_1563', traits: [], cell: at },
  })
  const guest = topology({ numa_nodes: '1' }, 2, 512)
  const fitted = fitOnHost(guest, asked('nic:1'), machine([cell(0), cell(1)], [nic(1)]))
  assert.equal('fit' in fitted && fitted.fit.cells[0]?.host_cell, 1)
  const crowded = machine([cell(0), cell(1, { memory_used_mb: 4000 })], [nic(1)])
  assert.deepEqual(fitOnHost(guest, asked('nic:1'), crowded), {
    lacks: "0 free of CUSTOM_PCI_8086_1563 near the guest's cells (legacy), 1 in all",
  })
  assert.ok('fit' in fitOnHost(guest, asked('nic:1', { 'hw:pci_numa_affinity_policy': 'preferred' }), crowded))
  const oneSocket = { ...crowded, cells: crowded.cells.map(each => ({ ...each, socket: 0 })) }
  assert.ok('fit' in fitOnHost(guest, asked('nic:1', { 'hw:pci_numa_affinity_policy': 'socket' }), oneSocket))
  assert.ok('fit' in fitOnHost(undefined, asked('nic:1'), machine([], [nic(undefined)])))
  assert.deepEqual(fitOnHost(undefined, asked('nic:2'), machine([], [nic(0)])), {
    lacks: '1 free of CUSTOM_PCI_8086_1563',
  })
})

test('the cell that is hardest to place is placed first, and a host of many cells is soon looked through', () => {
  const named = { 'numa_cpus.0': '0', 'numa_mem.0': '512', 'numa_cpus.1': '1-3', 'numa_mem.1': '1536' }
  const small = cell(1, { memory_used_mb: 3000 })
  const fitted = fitOnHost(
    topology({ numa_nodes: '2', ...named }),
    [],
    machine([cell(0, { memory_used_mb: 2500 }), small]),
  )
  assert.deepEqual('fit' in fitted && fitted.fit.cells.map(each => each.host_cell), [1, 0])
  const many = Array.from({ length: 12 }, (_, id) => cell(id, id < 11 ? {} : { memory_used_mb: 4000 }))
  assert.deepEqual(fitOnHost(topology({ numa_nodes: '12' }, 12, 12 * 128), [], machine(many)), {
    lacks: [
      ...Array.from({ length: 11 }, (_, id) => `cell ${id}: room for one of its cells`),
      'cell 11: 96 MiB free',
    ].join('; '),
  })
})

test('the filters say what was asked and what a host had', () => {
  const hosts = [host('plain'), host('numa', { numa: machine([cell(0)]) })]
  const options = {
    ...{ filters: ['NUMATopologyFilter', 'PciPassthroughFilter'], settings, weights: weights({}) },
    ...{ random: () => 0, keep: 8 },
  }
  const pinned = request({ topology: topology({ cpu_policy: 'dedicated' }, 2, 512) })
  const { best, refused } = schedule(pinned, hosts, options)
  assert.deepEqual(
    best.map(each => each.host),
    ['numa'],
  )
  assert.deepEqual(refused, [
    {
      host: 'plain',
      filter: 'NUMATopologyFilter',
      asked: 'vCPUs 0-1 with 512 MiB, dedicated CPUs',
      had: 'no NUMA cells',
    },
  ])
  const none = schedule(request({ devices: asked('nic:1') }), hosts, options)
  assert.deepEqual(
    none.refused.map(each => [each.filter, each.asked, each.had]),
    [
      ['PciPassthroughFilter', '1 nic (CUSTOM_PCI_8086_1563)', '0 free of CUSTOM_PCI_8086_1563'],
      ['PciPassthroughFilter', '1 nic (CUSTOM_PCI_8086_1563)', '0 free of CUSTOM_PCI_8086_1563'],
    ],
  )
})
