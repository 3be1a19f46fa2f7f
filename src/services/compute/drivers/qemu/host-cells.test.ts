/** Machines as their kernels tell of them: two cells with threads and large pages, devices next to them. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { hostCells, hostDevices } from './host-cells.ts'

async function machine(files: Record<string, string>): Promise<string> {
  const sys = await mkdtemp(join(tmpdir(), 'nephos-sys-'))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(sys, path)), { recursive: true })
    await writeFile(join(sys, path), `${content}\n`)
  }
  return sys
}

const node = (id: number, cpus: string) => ({
  [`devices/system/node/node${id}/cpulist`]: cpus,
  [`devices/system/node/node${id}/meminfo`]: `Node ${id} MemTotal:       4194304 kB`,
  [`devices/system/node/node${id}/hugepages/hugepages-2048kB/nr_hugepages`]: id === 0 ? '512' : '0',
})

const cpu = (id: number, siblings: string, socket: number) => ({
  [`devices/system/cpu/cpu${id}/topology/thread_siblings_list`]: siblings,
  [`devices/system/cpu/cpu${id}/topology/physical_package_id`]: String(socket),
})

const device = (address: string, vendor: string, product: string, cell: number, kind = '0x020000') => ({
  [`bus/pci/devices/${address}/vendor`]: `0x${vendor}`,
  [`bus/pci/devices/${address}/device`]: `0x${product}`,
  [`bus/pci/devices/${address}/class`]: kind,
  [`bus/pci/devices/${address}/numa_node`]: String(cell),
})

test('cells have their CPUs by core, their memory and the pages that are there', async () => {
  const sys = await machine({
    ...node(0, '0-1,4-5'),
    ...node(1, '2-3'),
    'devices/system/node/node2/cpulist': '',
    ...[cpu(0, '0,4', 0), cpu(1, '1,5', 0), cpu(4, '0,4', 0), cpu(5, '1,5', 0), cpu(2, '2', 1), cpu(3, '3', 1)].reduce(
      (all, one) => Object.assign(all, one),
      {},
    ),
  })
  assert.deepEqual(await hostCells(sys), [
    {
      ...{ id: 0, socket: 0, cpus: [0, 1, 4, 5], memory_mb: 4096 },
      siblings: [
        [0, 4],
        [1, 5],
      ],
      pages: [{ size_kb: 2048, total: 512 }],
    },
    { id: 1, socket: 1, cpus: [2, 3], siblings: [[2], [3]], memory_mb: 4096, pages: [] },
  ])
  await rm(sys, { recursive: true })
})

test('devices have their kind and the cell that they are next to; bridges are the host’s', async () => {
  const sys = await machine({
    ...device('0000:81:00.0', '8086', '1563', 1),
    ...device('0000:00:00.0', '8086', '29c0', -1, '0x060000'),
    ...device('0000:00:05.0', '10de', '1eb8', -1, '0x030000'),
  })
  assert.deepEqual(await hostDevices(sys), [
    { address: '0000:00:05.0', vendor_id: '10de', product_id: '1eb8' },
    { address: '0000:81:00.0', vendor_id: '8086', product_id: '1563', cell: 1 },
  ])
  await rm(sys, { recursive: true })
})

test('this machine has at least one cell with CPUs and memory', async t => {
  const cells = await hostCells()
  if (!cells) return t.skip('the kernel tells nothing of NUMA')
  assert.ok(cells.every(({ cpus, siblings, memory_mb }) => cpus.length > 0 && siblings.length > 0 && memory_mb > 0))
})

test('a kernel that tells nothing of cells has none', async () => {
  assert.equal(await hostCells('/nowhere'), undefined)
  assert.deepEqual(await hostDevices('/nowhere'), [])
})
