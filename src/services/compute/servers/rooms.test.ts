/** Stories of servers with NUMA cells, CPUs, pages and devices of their own: placed, told to their hosts, given back. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { emptyQcow2 } from '../drivers/fake-disk.ts'
import { roomOf, takenOf } from '../rooms/store.ts'
import { serverCloud } from './fixtures/server-cloud.ts'
import { newWorld, tiny } from './fixtures/world.ts'

const nic = '8086:1563'

/** Hosts of two cells, four CPUs in two cores each; all CPUs but one core of each cell are given out one by one. */
async function stage(options: { hosts?: string[]; set?: string[]; devices?: string[]; database?: Database } = {}) {
  const cloud = await serverCloud({
    world: await newWorld(undefined, options.database),
    hosts: options.hosts ?? ['h1'],
    machine: { numa_cells: 2, threads_per_core: 2, huge_pages: 1024, devices: options.devices ?? [nic] },
    set: [
      'compute.hosts.cpu_dedicated_set=2-3,6-7',
      'compute.hosts.cpu_shared_set=0-1,4-5',
      `compute.pci.device_spec=${JSON.stringify([JSON.stringify({ vendor_id: '8086', product_id: '1563' })])}`,
      `compute.pci.alias=${JSON.stringify([JSON.stringify({ name: 'nic', vendor_id: '8086', product_id: '1563' })])}`,
      ...(options.set ?? []),
    ],
  })
  const admin = await cloud.admin()
  const demo = await cloud.project('p1')
  return Object.assign(cloud, {
    demo,
    async flavor(id: string, extra_specs: Record<string, string>, vcpus = 2, ram = 512): Promise<string> {
      const flavor = { id, name: id, vcpus, ram, disk: 1 }
      assert.equal((await cloud.api(admin, 'POST', '/flavors', { flavor })).status, 200)
      await cloud.api(admin, 'POST', `/flavors/${id}/os-extra_specs`, { extra_specs })
      return id
    },
    /** What a consumer has, by the names of providers. */
    async has(consumer: string): Promise<Record<string, Record<string, number>>> {
      const names = await cloud.providerNames()
      const found = await cloud.env.services.placement.allocationsOf(cloud.ctx(), consumer)
      return Object.fromEntries(Object.entries(found).map(([id, amounts]) => [names.get(id)!, amounts]))
    },
    async pinned(consumer: string): Promise<number[]> {
      return (await roomOf(cloud.ctx(), consumer)).cpus.map(row => row.cpu)
    },
    async taken(host: string) {
      const { cells = [], cpus = [], devices = [] } = (await takenOf(cloud.ctx(), [host])).get(host) ?? {}
      return { cells: cells.length, cpus: cpus.length, devices: devices.length }
    },
    async act(id: string, body: unknown, version = 'latest') {
      const answer = await cloud.api<{ badRequest?: { message: string } }>(
        admin,
        'POST',
        `/servers/${id}/action`,
        body,
        version,
      )
      await cloud.env.sagas.idle()
      return answer
    },
    async topology(id: string, who: { token: string } = demo) {
      return (await cloud.api<Topology>(who, 'GET', `/servers/${id}/topology`)).body
    },
    administrator: admin,
  })
}

interface Topology {
  pagesize_kb: number | null
  nodes: Record<string, unknown>[]
}

const nothing = { cells: 0, cpus: 0, devices: 0 }

const whole = { 'hw:numa_nodes': '2', 'hw:cpu_policy': 'dedicated', 'hw:mem_page_size': 'large' }

test('a server with a device and two NUMA cells has all of it in its allocations, in its topology and on its host', async () => {
  await using s = await stage()
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
  await using s = await stage()
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
  await using s = await stage()
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
  await using s = await stage({ hosts: ['h1', 'h2'], database })
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
  await using s = await stage()
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  await s.boot(s.demo, { flavorRef, min_count: 2, max_count: 2 })
  assert.deepEqual(await s.taken('h1'), { cells: 2, cpus: 4, devices: 0 })
})

test('a moved server has room at both ends until it is decided, and then at one', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  const flavorRef = await s.flavor('numa', { ...whole, 'pci_passthrough:alias': 'nic:1' })
  const { id } = await s.boot(s.demo, { flavorRef })
  const [from, to] = s.guestHosts(id)[0] === 'h1' ? ['h1', 'h2'] : ['h2', 'h1']
  const full = { cells: 2, cpus: 2, devices: 1 }
  assert.equal((await s.act(id, { migrate: null })).status, 202)
  assert.deepEqual([await s.taken(from), await s.taken(to)], [full, full])
  assert.equal((await s.act(id, { revertResize: null })).status, 202)
  assert.deepEqual([await s.taken(from), await s.taken(to)], [full, nothing])
  assert.deepEqual(s.drivers[from]!.guests.get(id)?.spec.cells?.[0]?.pins, { 0: 2 })
  await s.act(id, { migrate: null })
  assert.equal((await s.act(id, { confirmResize: null })).status, 204)
  assert.deepEqual([await s.taken(from), await s.taken(to)], [nothing, full])
  assert.deepEqual(Object.keys(await s.has(id)).sort(), [to, `${to}_0000:81:00.0`, `${to}_NUMA0`, `${to}_NUMA1`])
})

test('a live migration finds new CPUs; a server with a device stays', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  const blocker = await s.boot(s.demo, { flavorRef, availability_zone: undefined })
  const at = s.guestHosts(blocker.id)[0]!
  const { id } = await s.boot(s.demo, { flavorRef })
  const home = s.guestHosts(id)[0]!
  const away = home === 'h1' ? 'h2' : 'h1'
  const live = { 'os-migrateLive': { host: null, block_migration: 'auto' } }
  assert.equal((await s.act(id, live)).status, 202)
  assert.deepEqual(s.guestHosts(id), [away])
  assert.equal((await s.taken(home)).cpus, at === home ? 2 : 0)
  const pins = s.drivers[away]!.guests.get(id)?.spec.cells?.[0]?.pins
  assert.deepEqual(Object.values(pins ?? {}), await s.pinned(id))
  const withNic = await s.flavor('nic', { 'pci_passthrough:alias': 'nic:1' })
  const fixed = await s.boot(s.demo, { flavorRef: withNic })
  assert.equal((await s.act(fixed.id, live)).status, 202)
  const moves = await s.api<{ migrations: { status: string; instance_uuid: string }[] }>(
    s.administrator,
    'GET',
    `/os-migrations?instance_uuid=${fixed.id}`,
  )
  assert.deepEqual([moves.body.migrations[0]?.status, (await s.show(s.demo, fixed.id)).status], ['error', 'ACTIVE'])
  const old = { 'os-migrateLive': { host: null, block_migration: true, disk_over_commit: false } }
  const refused = await s.act(fixed.id, old, '2.1')
  assert.equal(refused.status, 400)
  assert.match(refused.body.badRequest!.message, /non-VIF related PCI requests/)
})

test('shelving gives the room back, unshelving finds it again', async () => {
  await using s = await stage()
  const flavorRef = await s.flavor('numa', { ...whole, 'pci_passthrough:alias': 'nic:1' })
  const { id } = await s.boot(s.demo, { flavorRef })
  await s.act(id, { shelve: null })
  await s.act(id, { shelveOffload: null })
  assert.deepEqual(await s.taken('h1'), nothing)
  await s.act(id, { unshelve: null })
  assert.deepEqual(
    [(await s.show(s.demo, id)).status, await s.taken('h1')],
    ['ACTIVE', { cells: 2, cpus: 2, devices: 1 }],
  )
})

test('a flavor that contradicts itself is refused at create and resize, an unknown device too', async () => {
  await using s = await stage()
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

test('a resize on the same host holds old and new CPUs until it is confirmed', async () => {
  await using s = await stage()
  const small = await s.flavor('small', { 'hw:cpu_policy': 'dedicated' }, 1)
  const large = await s.flavor('large', { 'hw:cpu_policy': 'dedicated' }, 2)
  const { id } = await s.boot(s.demo, { flavorRef: small })
  await s.act(id, { resize: { flavorRef: large } })
  assert.deepEqual(await s.taken('h1'), { cells: 2, cpus: 3, devices: 0 })
  await s.act(id, { confirmResize: null })
  assert.deepEqual(await s.taken('h1'), { cells: 1, cpus: 2, devices: 0 })
})

test('what goes on beside the vCPUs has a CPU of its own, or the shared ones', async () => {
  await using s = await stage()
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
  await using s = await stage()
  const flavorRef = await s.flavor('mixed', { 'hw:cpu_policy': 'mixed', 'hw:cpu_dedicated_mask': '0' }, 2)
  const { id } = await s.boot(s.demo, { flavorRef })
  assert.deepEqual((await s.has(id)).h1, { VCPU: 1, PCPU: 1, MEMORY_MB: 512, DISK_GB: 1 })
  const [cell] = s.drivers.h1!.guests.get(id)!.spec.cells ?? []
  assert.deepEqual(Object.keys(cell?.pins ?? {}), ['0'])
  assert.deepEqual(cell?.shared_cpus, cell?.host_cell === 0 ? [0, 1] : [4, 5])
})

test('other servers run on the shared CPUs alone', async () => {
  await using s = await stage()
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

test('an evacuated server has other CPUs; its old ones are free when its host has let go of it', async () => {
  await using s = await stage({ hosts: ['h1', 'h2'] })
  const flavorRef = await s.flavor('pinned', { 'hw:cpu_policy': 'dedicated' })
  const { id } = await s.boot(s.demo, { flavorRef })
  const [from, to] = s.guestHosts(id)[0] === 'h1' ? ['h1', 'h2'] : ['h2', 'h1']
  const { body } = await s.api<{ services: { id: string; host: string }[] }>(s.administrator, 'GET', '/os-services')
  const service = body.services.find(({ host }) => host === from)!
  await s.api(s.administrator, 'PUT', `/os-services/${service.id}`, { forced_down: true })
  assert.equal((await s.act(id, { evacuate: {} })).status, 200)
  assert.deepEqual([(await s.taken(from)).cpus, (await s.taken(to)).cpus], [2, 2])
  assert.deepEqual(s.drivers[to]!.guests.get(id)?.spec.floating_cpus, await s.pinned(id))
})

test('a rebuild may not change the cells, and keeps the CPUs', async () => {
  await using s = await stage()
  const flavorRef = await s.flavor('large', { 'hw:mem_page_size': 'large' })
  const { id } = await s.boot(s.demo, { flavorRef })
  const before = await s.taken('h1')
  const { image } = s.env.services
  const ctx = s.ctx()
  const other = await image.create(
    { ...ctx, identity: { ...ctx.identity, project_id: 'admin' } },
    {
      name: 'two cells',
      disk_format: 'qcow2',
      container_format: 'bare',
      visibility: 'public',
      properties: { hw_numa_nodes: '2' },
    },
  )
  await image.upload(ctx, other.id, Readable.from([emptyQcow2(1024 ** 3)]))
  const refused = await s.act(id, { rebuild: { imageRef: other.id } })
  assert.deepEqual(
    [refused.status, refused.body.badRequest?.message],
    [
      400,
      "An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this instance.",
    ],
  )
  assert.equal((await s.act(id, { rebuild: { imageRef: tiny } })).status, 202)
  assert.deepEqual(await s.taken('h1'), before)
})
