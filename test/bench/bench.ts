/** Measures the budgets on a simulated cloud started as a user starts it. Prints tables; `--write` puts them into docs/performance.md; `--reads` is a minute of GET and lists of servers alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Baseline, measureBaseline } from './baseline.ts'
import { candidateTimes } from './candidates.ts'
import { openBench, prepareServers, serversPath } from './cloud.ts'
import { measureConversions, prepareConversions } from './conversions.ts'
import { measureGrowth } from './growth.ts'
import { guestTimes } from './guest.ts'
import { guestsAskingTimes } from './guests-asking.ts'
import { manyTimes } from './many.ts'
import { cpuOf, root, start, stop, stopAll } from './process.ts'
import { measureReads, measureUploads } from './reads.ts'
import { schedulingTimes } from './scheduling.ts'
import { measureServerReads, measureServers } from './servers.ts'
import { measureStarts } from './starts.ts'
import { markdownOf, newTable, noteLate, rate, ratioOf, type Table } from './table.ts'
import { measureTestDouble } from './test-double.ts'
import { ms, quantiles, type Times, timesOf, took } from './timing.ts'

const { values: flags } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    /** Few calls, small sizes: shows that everything still runs. */
    quick: { type: 'boolean', default: false },
    reads: { type: 'boolean', default: false },
  },
})
const { quick } = flags

async function noteBaseline(table: Table, baseline: Baseline): Promise<void> {
  table.section('Baseline')
  for (const clients of quick ? [1] : [1, 16, 256]) {
    const what = `a constant from a Fastify route, ${clients} client${clients === 1 ? '' : 's'}`
    table.note({ what, measured: rate(await baseline.route(clients)), ratio: '1×' })
  }
  table.note({ what: 'a row by its key, prepared, SQLite in memory', measured: quantiles(baseline.read), ratio: '1×' })
}

async function measureCloud(table: Table, baseline: Baseline, data: string): Promise<void> {
  table.section('One cloud')
  prepareConversions(data)
  const { child } = await measureStarts(table, data, quick)
  const bench = await openBench(table, baseline, child, data)
  await measureReads(bench, quick)
  await measureUploads(bench, quick)
  await measureConversions(bench, quick)
  await measureServers(bench, await prepareServers(bench), quick)
  await stop(child)
}

/** Of servers, with what the first page costs a process that has just begun. */
async function measureReadsAlone(table: Table, baseline: Baseline, data: string): Promise<void> {
  table.section('Reads of servers')
  let { child } = await start(data)
  const bench = await openBench(table, baseline, child, data)
  await measureServerReads(bench, await prepareServers(bench), quick)
  const times: number[] = []
  const cpu: number[] = []
  for (let i = 0; i < (quick ? 1 : 5); i++) {
    await stop(child)
    child = (await start(data)).child
    await bench.demo.get('/compute/v2.1/flavors')
    const before = cpuOf(child.pid!)
    times.push(await took(() => bench.demo.get(`${serversPath}/detail?limit=100`)))
    cpu.push(cpuOf(child.pid!) - before)
  }
  table.note({
    what: 'first page of 100, detail, after a start',
    measured: quantiles(timesOf(times)),
    cpu: ms(timesOf(cpu).p50),
  })
  await stop(child)
}

/** In the bench's own process, where hosts can be made to fail. */
async function measureMany(table: Table, dir: string): Promise<void> {
  const count = quick ? 40 : 1000
  const { answered, active, failed, late } = await manyTimes(dir, count)
  const what = `${count} servers in one call, ${failed} builds fail and are done elsewhere`
  table.note({ what: `${what}: answered`, measured: ms(answered) })
  table.note({ what: `${what}: all ACTIVE`, budget: '< 20 s', measured: ms(active) })
  noteLate(table, 'that', late)
}

async function measureScheduling(table: Table, baseline: Baseline, data: string): Promise<void> {
  table.section('Scheduling')
  for (const hosts of quick ? [10] : [10, 1000, 10_000]) {
    const single = await schedulingTimes(data, hosts)
    for (const [how, { times, statements }, budget] of [
      ['', single, '< 5 ms'],
      [', of many in one request', single.several, '< 1 ms'],
    ] as const)
      table.note({
        what: `host chosen and claimed among ${hosts.toLocaleString('en')}${how}`,
        ...(hosts === 10_000 && { budget }),
        measured: `${quantiles(times)}, ${(1000 / times.p50).toFixed(0)} /s`,
        ratio: `${ratioOf(times.p50, baseline.read.p50)} a read`,
        statements: statements.toFixed(1),
      })
  }
  if (quick) return
  for (const { what, times } of candidateTimes()) {
    const ratio = `${ratioOf(times.p50, baseline.read.p50)} a read`
    table.note({ what, budget: '< 5 ms', measured: quantiles(times), ratio })
  }
}

async function measureAsking(table: Table, baseline: Baseline): Promise<void> {
  table.section('Guests asking')
  const guests = quick ? 10 : 100
  const { all, again } = await guestsAskingTimes(guests, quick ? 2 : 10)
  const ratio = (times: Times) => `${ratioOf(times.p50, baseline.read.p50)} a read`
  const what = `a document of the metadata, ${guests} guests booting at once`
  table.note({ what, budget: 'p99 < 10 ms', measured: quantiles(all), ratio: ratio(all) })
  table.note({ what: `${what}, asked for again`, measured: quantiles(again), ratio: ratio(again) })
}

async function measureGuest(table: Table): Promise<void> {
  table.section('Real guests')
  const guest = await guestTimes()
  if ('skipped' in guest) {
    table.note({ what: 'real guest from QEMU to `login:`', measured: `skipped: ${guest.skipped}` })
    return
  }
  const { accel, spawn, login, late } = guest
  table.note({ what: `real guest (${accel}): image in the cache to QEMU runs`, measured: ms(spawn) })
  table.note({ what: `real guest (${accel}): QEMU runs to \`login:\``, measured: ms(login) })
  table.note({
    what: 'event loop late: an image made ready, a guest started',
    budget: 'p99 < 20 ms',
    measured: `p99 ${ms(late)}`,
  })
}

function write({ sections }: Table, load: number): void {
  const page = `# Performance

Measured by \`npm run bench\` on ${cpus().length} cores (${cpus()[0]!.model}), Node ${process.versions.node}, with the load on the same machine: a cloud started as a user starts it
(\`nephos up --simulated\`, 8 hosts; 50 where it grows), HTTP on loopback by \`node:http\` on kept connections, SQLite on disk with every commit synced. The load average before the run was ${load.toFixed(1)}.
In brackets are the least and the greatest median of five rounds of a run; expect 30 % of noise on a shared machine. *× baseline* compares the median with that of a Fastify
route that answers a constant to as many clients, in the same run (for scheduling: with a prepared read of SQLite). The processor's time of a call includes the work that
goes on after its answer. Where the cost grows with servers, all but ten are copies of one, in the database and on their hosts; beyond 10,000 in the database alone.
Simulated hosts ask for no neighbours: what hosts with packets learn of each other's addresses is not in these figures.

${sections.map(markdownOf).join('\n')}`
  writeFileSync(join(root, 'docs/performance.md'), page)
}

async function measureAll(table: Table, baseline: Baseline): Promise<void> {
  await measureCloud(table, baseline, join(folder, 'one'))
  table.section('Growth')
  await measureGrowth(table, baseline, join(folder, 'grown'), quick)
  table.section('Many at once')
  await measureMany(table, folder)
  await measureScheduling(table, baseline, folder)
  await measureAsking(table, baseline)
  await measureTestDouble(table, quick)
  if (!quick) await measureGuest(table)
  if (flags.write) write(table, load)
}

const load = loadavg()[0]!
const folder = mkdtempSync(join(tmpdir(), 'nephos-bench-'))
try {
  await using baseline = await measureBaseline(quick)
  const table = newTable()
  await noteBaseline(table, baseline)
  if (flags.reads) await measureReadsAlone(table, baseline, join(folder, 'one'))
  else await measureAll(table, baseline)
} finally {
  await stopAll()
  rmSync(folder, { recursive: true, force: true })
}
