/** How soon a test has a cloud of `nephos/testing`, and how soon it has it as new again. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startCloud } from '../../src/simulated/start-cloud.ts'
import type { Table } from './table.ts'
import { ms, quantiles, timesOf, took } from './timing.ts'

export async function measureTestDouble(table: Table, quick: boolean): Promise<void> {
  table.section('The cloud as a test double')
  const starts: number[] = []
  const resets: number[] = []
  noteFirst(table, quick ? 1 : 5)
  // The first is dearer than the others, and measured above.
  for (let i = 0; i <= (quick ? 1 : 10); i++) {
    const began = performance.now()
    await using cloud = await startCloud()
    if (i > 0) starts.push(performance.now() - began)
    for (let j = 0; j < (quick ? 1 : 5); j++) resets.push(await took(() => cloud.reset()))
  }
  table.note({ what: 'startCloud, in process', budget: '< 300 ms', measured: quantiles(timesOf(starts)) })
  table.note({ what: 'reset of such a cloud', budget: '< 50 ms', measured: quantiles(timesOf(resets)) })
}

function noteFirst(table: Table, count: number): void {
  const program = fileURLToPath(new URL('./first-start.ts', import.meta.url))
  const hooks = fileURLToPath(new URL('../../src/module-hooks.mjs', import.meta.url))
  const starts = Array.from({ length: count }, () => {
    const told = execFileSync(process.execPath, ['--import', hooks, program], { encoding: 'utf8' })
    return JSON.parse(told) as { ms: number; cpu: number }
  }).toSorted((a, b) => a.ms - b.ms)
  const [least, median, most] = [starts[0]!, starts[Math.floor(count / 2)]!, starts.at(-1)!]
  const measured = `${ms(median.ms)} (${ms(least.ms)}–${ms(most.ms)})`
  table.note({ what: 'startCloud, the first of a process', budget: '< 300 ms', measured, cpu: ms(median.cpu) })
}
