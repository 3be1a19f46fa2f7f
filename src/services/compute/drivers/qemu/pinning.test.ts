/** Real guests whose vCPUs, memory and pages lie where they were told to. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { after, before, describe, it } from 'node:test'
import type { GuestSpec } from '../driver.ts'
import { hostCells } from './host-cells.ts'
import { findProcesses } from './process.ts'
import { booted, clock, type Host, openHost, skip } from './test-host.ts'

const isRoot = process.getuid?.() === 0
const fewCpus = availableParallelism() < 2 ? 'two CPUs are needed' : undefined
const poolFile = '/proc/sys/vm/nr_hugepages'
const pool = () => Number(readFileSync(poolFile, 'utf8'))

/** Two cells, a vCPU each. */
const cells = (pins: [number, number], page_kb?: number): Partial<GuestSpec> => ({
  vcpus: 2,
  cells: pins.map((cpu, id) => ({
    ...{ id, vcpus: [id], memory_mb: 16, host_cell: 0, pins: { [id]: cpu }, shared_cpus: [] },
    ...(page_kb !== undefined && { page_kb }),
  })),
})

describe('QEMU guests with cells and CPUs of their own', { skip: skip ?? fewCpus ?? false }, () => {
  let host: Host
  before(async () => {
    host = await openHost()
  })
  after(() => host.close())

  async function pidOf(id: string): Promise<number> {
    const process = (await findProcesses(host.instances, clock)).get(id)
    assert.ok(process)
    return process.pid
  }

  /** The CPUs that each thread of the guest may use, by the thread's name. */
  async function allowed(id: string): Promise<Map<string, string>> {
    const tasks = `/proc/${await pidOf(id)}/task`
    return new Map(
      readdirSync(tasks).map(thread => {
        const status = readFileSync(`${tasks}/${thread}/status`, 'utf8')
        const name = readFileSync(`${tasks}/${thread}/comm`, 'utf8').trim()
        return [name, /Cpus_allowed_list:\t(.*)/.exec(status)?.[1] ?? '']
      }),
    )
  }

  it('vCPUs run on the CPUs they are pinned to, all else beside them, after a reboot and a suspension too', async () => {
    const spec = await booted(host, { ...cells([1, 0]), floating_cpus: [0] })
    const pinned = async () => {
      const threads = await allowed(spec.id)
      const beside = [...threads].filter(([name]) => !name.startsWith('CPU '))
      return [threads.get('CPU 0/TCG'), threads.get('CPU 1/TCG'), [...new Set(beside.map(([, cpus]) => cpus))]]
    }
    assert.deepEqual(await pinned(), ['1', '0', ['0']])
    await host.driver.suspend(spec.id)
    await host.driver.resume(spec)
    assert.deepEqual(await pinned(), ['1', '0', ['0']])
    await host.driver.reboot({ ...spec, ...cells([0, 1]), floating_cpus: [1] }, 'hard', 0)
    assert.deepEqual(await pinned(), ['0', '1', ['1']])
    await host.driver.destroy(spec.id)
  })

  it('a realtime vCPU runs before all else on its CPU', { skip: !isRoot && 'needs root' }, async () => {
    const spec = await booted(host, { ...cells([0, 1]), realtime_vcpus: [1] })
    const tasks = `/proc/${await pidOf(spec.id)}/task`
    // The 41st field of stat, after a name that may have spaces: 1 is SCHED_FIFO.
    const policy = (thread: string) =>
      readFileSync(`${tasks}/${thread}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[38]
    const name = (thread: string) => readFileSync(`${tasks}/${thread}/comm`, 'utf8').trim()
    const realtime = readdirSync(tasks).filter(thread => policy(thread) === '1')
    assert.deepEqual(realtime.map(name), ['CPU 1/TCG'])
    await host.driver.destroy(spec.id)
  })

  it('a guest without cells floats on the CPUs that are shared', async () => {
    const spec = await booted(host, { floating_cpus: [1] })
    assert.deepEqual([...new Set((await allowed(spec.id)).values())], ['1'])
    await host.driver.destroy(spec.id)
  })

  it('CPUs that the host does not have make it fail, and another host may do better', async () => {
    const spec = host.spec({ ...cells([0, 8000]) })
    await assert.rejects(host.driver.spawn(spec, { power_on: true }), { name: 'GuestError', retryElsewhere: true })
    assert.deepEqual(await host.remains(spec.id), [])
  })

  it('memory of large pages is taken from the pool of the host', { skip: !isRoot && 'needs root' }, async t => {
    const was = pool()
    try {
      writeFileSync(poolFile, String(was + 32))
      if (pool() < was + 32) return t.skip('the kernel has no large pages to give')
      assert.ok((await hostCells())?.some(cell => cell.pages.some(page => page.size_kb === 2048 && page.total >= 16)))
      const spec = await booted(host, cells([0, 1], 2048))
      const maps = readFileSync(`/proc/${await pidOf(spec.id)}/smaps`, 'utf8')
      const huge = [...maps.matchAll(/(?:Shared|Private)_Hugetlb:\s+(\d+) kB/g)].map(([, size]) => Number(size))
      assert.equal(
        huge.reduce((sum, size) => sum + size, 0),
        32 * 1024,
      )
      await host.driver.destroy(spec.id)
      const lacking = host.spec({ ...cells([0, 1], 2048), memory_mb: 4096 })
      for (const cell of lacking.cells ?? []) cell.memory_mb = 2048
      await assert.rejects(host.driver.spawn(lacking, { power_on: true }), { retryElsewhere: true })
    } finally {
      writeFileSync(poolFile, String(was))
    }
    assert.equal(pool(), was)
  })
})
