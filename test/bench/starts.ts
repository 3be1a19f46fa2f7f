/** How long a start takes, and what an idle cloud needs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuOf, memoryOf, type Started, start, stop } from './process.ts'
import type { Table } from './table.ts'
import { ms } from './timing.ts'

/** Starts the cloud several times on one database; the last one stays. */
export async function measureStarts(table: Table, data: string, quick: boolean): Promise<Started> {
  const first = await start(data)
  table.note({ what: 'first start to ready (simulated, new database)', measured: ms(first.took), cpu: ms(first.cpu) })
  if (quick) return first
  await stop(first.child)
  const starts: Started[] = []
  for (let i = 0; i < 5; i++) {
    starts.push(await start(data))
    if (i < 4) await stop(starts[i]!.child)
  }
  const last = starts.at(-1)!
  const sorted = starts.toSorted((a, b) => a.took - b.took)
  const { took, cpu } = sorted[2]!
  const measured = `${ms(took)} (${ms(sorted[0]!.took)}–${ms(sorted[4]!.took)})`
  table.note({ what: 'start to ready (simulated, median of 5)', budget: '< 1 s', measured, cpu: ms(cpu) })
  await sleep(3000)
  const memory = `${memoryOf(last.child.pid!).toFixed(0)} MiB`
  table.note({ what: 'idle memory (PSS)', budget: '< 150 MB', measured: memory })
  await noteIdle(table, last, 'idle cloud, 8 hosts')
  return last
}

/** What the process uses while nobody asks. */
export async function noteIdle(table: Table, { child }: Pick<Started, 'child'>, what: string): Promise<void> {
  const seconds = 10
  const before = cpuOf(child.pid!)
  await sleep(seconds * 1000)
  const share = (cpuOf(child.pid!) - before) / (seconds * 10)
  const memory = `${memoryOf(child.pid!).toFixed(0)} MiB`
  table.note({ what: `${what}: CPU over ${seconds} s, memory`, measured: `${share.toFixed(1)} % of a core, ${memory}` })
}
