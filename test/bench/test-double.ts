/** How soon a test has a cloud of `nephos/testing`, and how soon it has it as new again. */
import { startCloud } from '../../src/simulated/start-cloud.ts'
import type { Table } from './table.ts'
import { quantiles, timesOf, took } from './timing.ts'

export async function measureTestDouble(table: Table, quick: boolean): Promise<void> {
  table.section('The cloud as a test double')
  const starts: number[] = []
  const resets: number[] = []
  // The first loads what the others find loaded.
  for (let i = 0; i <= (quick ? 1 : 10); i++) {
    const began = performance.now()
    await using cloud = await startCloud()
    if (i > 0) starts.push(performance.now() - began)
    for (let j = 0; j < (quick ? 1 : 5); j++) resets.push(await took(() => cloud.reset()))
  }
  table.note({ what: 'startCloud, in process', budget: '< 300 ms', measured: quantiles(timesOf(starts)) })
  table.note({ what: 'reset of such a cloud', budget: '< 50 ms', measured: quantiles(timesOf(resets)) })
}
