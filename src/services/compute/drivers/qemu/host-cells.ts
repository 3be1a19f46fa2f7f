/** The host's NUMA cells and PCI devices, as its kernel tells them. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostCell, HostDevice } from '../driver.ts'

/** Undefined: a kernel that tells nothing of cells. */
export async function hostCells(sys = '/sys'): Promise<HostCell[] | undefined> {
  const nodes = join(sys, 'devices/system/node')
  const ids = (await namesIn(nodes)).flatMap(name => /^node(\d+)$/.exec(name)?.[1] ?? [])
  const cells: HostCell[] = []
  for (const id of ids.map(Number).sort((a, b) => a - b)) {
    const cell = await cellOf(sys, join(nodes, `node${id}`), id)
    // Memory without CPUs is no place for guests.
    if (cell.cpus.length > 0 && cell.memory_mb > 0) cells.push(cell)
  }
  return cells.length > 0 ? cells : undefined
}

async function cellOf(sys: string, dir: string, id: number): Promise<HostCell> {
  const cpus = cpusIn(await text(dir, 'cpulist'))
  const kilobytes = Number(/MemTotal:\s*(\d+) kB/.exec(await text(dir, 'meminfo'))?.[1] ?? 0)
  const topology = (cpu: number) => join(sys, `devices/system/cpu/cpu${cpu}/topology`)
  const cores = new Map<string, number[]>()
  for (const cpu of cpus) {
    const core = (await text(topology(cpu), 'thread_siblings_list')) || String(cpu)
    cores.set(core, [...(cores.get(core) ?? []), cpu])
  }
  const socket = cpus[0] === undefined ? 0 : Number(await text(topology(cpus[0]), 'physical_package_id'))
  return {
    ...{ id, cpus, siblings: [...cores.values()], memory_mb: Math.floor(kilobytes / 1024) },
    socket: Math.max(0, socket),
    pages: await pagesOf(join(dir, 'hugepages')),
  }
}

async function pagesOf(dir: string): Promise<HostCell['pages']> {
  const found: HostCell['pages'] = []
  for (const name of await namesIn(dir)) {
    const size = /^hugepages-(\d+)kB$/.exec(name)?.[1]
    const total = Number(await text(join(dir, name), 'nr_hugepages'))
    if (size !== undefined && total > 0) found.push({ size_kb: Number(size), total })
  }
  return found.sort((a, b) => a.size_kb - b.size_kb)
}

/** Bridges are left out: they are the host's. */
export async function hostDevices(sys = '/sys'): Promise<HostDevice[]> {
  const dir = join(sys, 'bus/pci/devices')
  const found: HostDevice[] = []
  for (const address of (await namesIn(dir)).sort()) {
    const of = (name: string) => text(join(dir, address), name)
    const [vendor_id, product_id] = [(await of('vendor')).replace(/^0x/, ''), (await of('device')).replace(/^0x/, '')]
    if ((await of('class')).startsWith('0x06') || !/^[0-9a-f]{4}$/.test(vendor_id)) continue
    const cell = Number((await of('numa_node')) || -1)
    found.push({ address, vendor_id, product_id, ...(cell >= 0 && { cell }) })
  }
  return found
}

/** `0-3,8` as the kernel writes it. */
const cpusIn = (list: string): number[] =>
  list.split(',').flatMap(part => {
    const [first, last = first] = part.split('-').map(Number)
    if (part === '' || first === undefined || last === undefined) return []
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })

const namesIn = (dir: string) => readdir(dir).catch(() => [])
const text = async (dir: string, name: string) => (await readFile(join(dir, name), 'utf8').catch(() => '')).trim()
