/** How cost grows with servers and clients, on a cloud of its own; all but a few servers are copies of one. */
import type { Baseline } from './baseline.ts'
import { type Bench, openBench, prepareServers, type Servers, serversPath } from './cloud.ts'
import { copyServer } from './copies.ts'
import { start, stop } from './process.ts'
import { noteIdle } from './starts.ts'
import { lateDuring, noteCalls, noteLate, rate, type Table } from './table.ts'
import { ms, timed, took } from './timing.ts'

/** Fake hosts enough for 10,000 servers. */
const hosts = 50

/** Servers that are made with a request each, so that their ids are known; the others are copies of the first. */
const known = 10

export async function measureGrowth(table: Table, baseline: Baseline, data: string, quick: boolean): Promise<void> {
  let { child } = await start(data, quick ? 3 : hosts)
  let bench = await openBench(table, baseline, child, data)
  const servers = await prepareServers(bench)
  for (let i = 0; i < known; i++) await servers.post(`known-${i}`)
  await servers.built()
  await measureAt(bench, servers, known)
  let there = known
  for (const size of quick ? [30] : [1000, 10_000, 100_000]) {
    await stop(child)
    // More are too many guests for the hosts: those servers are on a host that is not there.
    copyServer(data, { id: servers.made[0]!, count: size - there, spread: size <= 10_000 })
    there = size
    const again = await start(data, quick ? 3 : hosts)
    child = again.child
    const what = `start to ready with ${size.toLocaleString('en')} servers`
    table.note({ what, measured: ms(again.took), cpu: ms(again.cpu) })
    bench = { ...bench, child }
    await measureAt(bench, servers, size)
    if (size === 1000) await measureClients(bench, servers)
    if (size === 10_000) await noteIdle(table, again, 'idle cloud, 10,000 simulated servers')
  }
  await stop(child)
}

async function measureAt(bench: Bench, { made, post, is, gone }: Servers, size: number): Promise<void> {
  const { table, baseline, child, demo } = bench
  const named = `with ${size.toLocaleString('en')} servers`
  const note = (what: string, count: number, call: (i: number) => Promise<unknown>, budget?: string) =>
    noteCalls(table, baseline, child, { what: `${what}, ${named}`, count, call, ...(budget && { budget }) })
  const show = (i: number) => demo.get(`${serversPath}/${made[i % made.length]}`)
  await timed(100, 1, show)
  await note('GET server by id', 500, show)
  const page = '/detail?limit=100'
  await note('page of 100, detail', 20, () => demo.get(serversPath + page), '< 500 ms')
  const next = () => demo.get(`${serversPath}${page}&marker=${made[0]}&sort_key=created_at&sort_dir=asc`)
  await note('page of 100 after a marker', 20, next, '< 500 ms')
  await note('list by name', 20, () => demo.get(`${serversPath}?name=known-3`))
  const added = async (i: number) => is(await post(`more-${i}`), 'ACTIVE')
  await note('POST /servers to ACTIVE', 20, added)
  const doomed = made.splice(known)
  await note('DELETE server to gone', doomed.length, async i => {
    await demo.remove(`${serversPath}/${doomed[i]}`, 204)
    await gone(doomed[i]!)
  })
  if (size < 10_000) return
  let all = 0
  const late = await lateDuring(child, async () => {
    all = await took(() => wholeList(bench))
  })
  table.note({ what: `list of 10,000, detail, in pages of 1,000, ${named}`, measured: ms(all) })
  noteLate(table, `that list ${named}`, late)
}

/** Follows the links, at most to 10,000 servers. */
async function wholeList({ demo }: Bench): Promise<void> {
  let marker = ''
  for (let i = 0; i < 10; i++) {
    const { servers } = await demo.json<{ servers: { id: string }[] }>(
      `${serversPath}/detail?limit=1000${marker && `&marker=${marker}`}`,
    )
    if (servers.length < 1000) return
    marker = servers.at(-1)!.id
  }
}

async function measureClients({ table, baseline, child, demo }: Bench, { made }: Servers): Promise<void> {
  for (const clients of [1, 16, 256]) {
    const what = `GET server by id, ${clients} clients`
    const call = (i: number) => demo.get(`${serversPath}/${made[i % made.length]}`)
    const { late } = await noteCalls(table, baseline, child, { what, count: 3000, clients, call, measured: rate })
    noteLate(table, what, late)
  }
}
