/** Stories of servers with NUMA cells, CPUs, pages and devices of their own: placed, told to their hosts, given back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachEngine } from '../../../../test/engines.ts'
import { takenOf } from '../rooms/store.ts'
import { nothing, roomsCloud, whole } from './fixtures/rooms-cloud.ts'

test('a server with a device and two NUMA cells has all of it in its allocations, in its topology and on its host', async () => {
  await using s = await roomsCloud()
  const flavorRef = await s.flavor('numa', { ...whole, 'pci_passthrough:alias': 'nic:1' })
  const { id, status } = await s.boot(s.demo, { flavorRef })
  assert.equal(status, 'ACTIVE')
  assert.deepEqual(await s.has(id), {
    h1: { PCPU: 2, MEMORY_MB: 512, DISK_GB: 1 },
    h1_NUMA0: { NUMA_MEMORY_MB: 256, NUMA_THREAD: 1, CUSTOM_HUGEPAGES_2048KB: 128 },
    h1_NUMA1: { NUMA_MEMORY_MB: 256, NUMA_THREAD: 1, CUSTOM_HUGEPAGES_2048KB: 128 },
    'h1_0000:81:00.0': { CUSTOM_PCI_8086_1563: 1 },
  })
  assert.deepEqual(await s.topology(id), {
    nodes: [
      { memory_mb: 256, siblings: [], vcpu_set: [0] },
      { memory_mb: 256, siblings: [], vcpu_set: [1] },
    ],
    pagesize_kb: 2048,
  })
  assert.deepEqual((await s.topology(id, s.administrator)).nodes, [
    { memory_mb: 256, siblings: [], vcpu_set: [0], host_node: 0, cpu_pinning: { 0: 2 } },
    { memory_mb: 256, siblings: [], vcpu_set: [1], host_node: 1, cpu_pinning: { 1: 6 } },
  ])
  const { cells, floating_cpus, devices } = s.drivers.h1!.guests.get(id)!.spec
  assert.deepEqual(cells, [
    { id: 0, vcpus: [0], memory_mb: 256, host_cell: 0, page_kb: 2048, pins: { 0: 2 }, shared_cpus: [0, 1] },
    { id: 1, vcpus: [1], memory_mb: 256, host_cell: 1, page_kb: 2048, pins: { 1: 6 }, shared_cpus: [4, 5] },
  ])
  assert.deepEqual([floating_cpus, devices], [[2, 6], ['0000:81:00.0']])
  await s.remove(s.demo, id)
  assert.deepEqual(await s.taken('h1'), nothing)
})

test('a second pinned server has other CPUs, a third has no host, and is told why', async () => {
  await using s = await roomsCloud()
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  const [first, second, third] = [
    await s.boot(s.demo, { flavorRef }),
    await s.boot(s.demo, { flavorRef }),
    await s.boot(s.demo, { flavorRef }),
  ]
  assert.deepEqual([await s.pinned(first.id), await s.pinned(second.id)].sort(), [
    [2, 3],
    [6, 7],
  ])
  // Both share a core, and the guest knows.
  assert.deepEqual((await s.topology(first.id)).nodes[0]?.siblings, [[0, 1]])
  assert.deepEqual(s.drivers.h1!.guests.get(first.id)!.spec.cpu_topology, { sockets: 1, cores: 1, threads: 2 })
  assert.equal(third.status, 'ERROR')
  assert.match(third.fault.message, /1 refused by PCPU/)
  const freed = await s.pinned(first.id)
  await s.remove(s.demo, first.id)
  assert.deepEqual(await s.pinned((await s.boot(s.demo, { flavorRef })).id), freed)
})

test('what one host has not left a filter tells: CPUs in one cell, devices', async () => {
  await using s = await roomsCloud()
  const three = await s.flavor('three', { 'hw:cpu_policy': 'dedicated' }, 3)
  const apart = await s.boot(s.demo, { flavorRef: three })
  assert.match(apart.fault.message, /1 refused by NUMATopologyFilter/)
  const two = await s.flavor('two', { 'pci_passthrough:alias': 'nic:2' }, 1)
  assert.match((await s.boot(s.demo, { flavorRef: two })).fault.message, /1 refused by PciPassthroughFilter/)
  const one = await s.flavor('one', { 'pci_passthrough:alias': 'nic:1' }, 1)
  assert.equal((await s.boot(s.demo, { flavorRef: one })).status, 'ACTIVE')
  assert.match((await s.boot(s.demo, { flavorRef: one })).fault.message, /1 refused by CUSTOM_PCI_8086_1563/)
})

onEachEngine('many at once: each CPU is given once, and those that find none are told so', async database => {
  await using s = await roomsCloud({ hosts: ['h1', 'h2'], database })
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  const ids = await Promise.all(Array.from({ length: 6 }, () => s.ask(s.demo, { flavorRef })))
  await s.env.sagas.idle()
  const shown = await Promise.all(ids.map(id => s.show(s.demo, id)))
  assert.equal(shown.filter(({ status }) => status === 'ACTIVE').length, 4)
  for (const host of ['h1', 'h2']) {
    const { cpus } = (await takenOf(s.ctx(), [host])).get(host)!
    assert.deepEqual(
      cpus.map(row => row.cpu),
      [2, 3, 6, 7],
    )
  }
})

test('one request for several servers places each on CPUs of its own', async () => {
  await using s = await roomsCloud()
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  await s.boot(s.demo, { flavorRef, min_count: 2, max_count: 2 })
  assert.deepEqual(await s.taken('h1'), { cells: 2, cpus: 4, devices: 0 })
})

test('a flavor that contradicts itself is refused at create and resize, an unknown device too', async () => {
  await using s = await roomsCloud()
  const refusal = async (patch: Record<string, unknown>) => {
    const answer = await s.api<{ badRequest: { message: string } }>(s.demo, 'POST', '/servers', {
      server: s.newServer(patch),
    })
    return [answer.status, answer.body.badRequest?.message]
  }
  const uneven = await s.flavor('uneven', { 'hw:numa_nodes': '3' })
  const message =
    'Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment of CPUs and memory to nodes is required'
  assert.deepEqual(await refusal({ flavorRef: uneven }), [400, message])
  const unknown = await s.flavor('unknown', { 'pci_passthrough:alias': 'fpga:1' })
  assert.deepEqual(await refusal({ flavorRef: unknown }), [400, 'PCI alias fpga is not defined'])
  const { id } = await s.boot(s.demo)
  const resize = await s.act(id, { resize: { flavorRef: uneven } })
  assert.deepEqual([resize.status, resize.body.badRequest?.message], [400, message])
})

test('what goes on beside the vCPUs has a CPU of its own, or the shared ones', async () => {
  await using s = await roomsCloud()
  const dedicated = { 'hw:cpu_policy': 'dedicated' }
  const isolated = await s.flavor('isolated', { ...dedicated, 'hw:emulator_threads_policy': 'isolate' }, 1)
  const sharing = await s.flavor('sharing', { ...dedicated, 'hw:emulator_threads_policy': 'share' }, 1)
  const [alone, shared] = [await s.boot(s.demo, { flavorRef: isolated }), await s.boot(s.demo, { flavorRef: sharing })]
  const [pinned, beside] = await s.pinned(alone.id)
  assert.deepEqual((await s.has(alone.id)).h1, { PCPU: 2, MEMORY_MB: 512, DISK_GB: 1 })
  const spec = s.drivers.h1!.guests.get(alone.id)!.spec
  assert.deepEqual([spec.cells?.[0]?.pins, spec.floating_cpus], [{ 0: pinned }, [beside]])
  assert.deepEqual(s.drivers.h1!.guests.get(shared.id)!.spec.floating_cpus, [0, 1, 4, 5])
})

test('a mixed server has some vCPUs for itself, the others share', async () => {
  await using s = await roomsCloud()
  const flavorRef = await s.flavor('mixed', { 'hw:cpu_policy': 'mixed', 'hw:cpu_dedicated_mask': '0' }, 2)
  const { id } = await s.boot(s.demo, { flavorRef })
  assert.deepEqual((await s.has(id)).h1, { VCPU: 1, PCPU: 1, MEMORY_MB: 512, DISK_GB: 1 })
  const [cell] = s.drivers.h1!.guests.get(id)!.spec.cells ?? []
  assert.deepEqual(Object.keys(cell?.pins ?? {}), ['0'])
  assert.deepEqual(cell?.shared_cpus, cell?.host_cell === 0 ? [0, 1] : [4, 5])
})

test('other servers run on the shared CPUs alone', async () => {
  await using s = await roomsCloud()
  const { id } = await s.boot(s.demo)
  assert.deepEqual(s.drivers.h1!.guests.get(id)!.spec.floating_cpus, [0, 1, 4, 5])
  const hypervisors = await s.api<{ hypervisors: Record<string, number>[] }>(
    s.administrator,
    'GET',
    '/os-hypervisors/detail',
    undefined,
    '2.87',
  )
  assert.deepEqual([hypervisors.body.hypervisors[0]?.vcpus, hypervisors.body.hypervisors[0]?.vcpus_used], [8, 1])
})
