/** A server's life on the fake driver, and lists of a thousand. */
import { type Bench, type Servers, serversPath } from './cloud.ts'
import { memoryOf } from './process.ts'
import { lateDuring, noteCalls, noteLate, ratioOf } from './table.ts'
import { ms, quantiles, timed, timesOf, took } from './timing.ts'

export async function measureServers(bench: Bench, servers: Servers, quick: boolean): Promise<void> {
  const { table, baseline, child } = bench
  const { post, is, built, made } = servers
  const times = quick ? 10 : 100
  for (let i = 0; i < times / 5; i++) await is(await post(`warm-${i}`), 'ACTIVE')
  await noteCalls(table, baseline, child, {
    what: 'POST /servers answered, the next while the last is built',
    count: times / 2,
    call: i => post(`post-${i}`),
    settled: built,
  })
  const answers: number[] = []
  const { late } = await noteCalls(table, baseline, child, {
    what: 'POST /servers to ACTIVE, one at a time (one port, fake driver)',
    budget: '< 50 ms',
    count: times,
    async call(i) {
      const posted = performance.now()
      const id = await post(`one-${i}`)
      answers.push(performance.now() - posted)
      await is(id, 'ACTIVE')
    },
  })
  const answered = timesOf(answers)
  const { p50 } = await baseline.route(1)
  const measured = quantiles(answered)
  table.note({
    what: 'of that: POST /servers answered',
    budget: '< 15 ms',
    measured,
    ratio: ratioOf(answered.p50, p50),
  })
  noteLate(table, 'servers made one by one', late)
  await measureShow(bench, servers, times)
  await measureActions(bench, servers, times)
  await measureMany(bench, servers, quick)
  await measureLists(bench, quick)
  const memory = `${memoryOf(child.pid!).toFixed(0)} MiB, ${made.length} made one by one`
  table.note({ what: 'memory after all that (PSS)', measured: memory })
}

/** What is asked for most, alone. */
export async function measureServerReads(bench: Bench, servers: Servers, quick: boolean): Promise<void> {
  const [few, many] = quick ? [5, 20] : [20, 980]
  for (let i = 0; i < few; i++) await servers.post(`one-${i}`)
  await servers.postMany('of-many', many)
  await servers.built()
  await measureShow(bench, servers, quick ? 10 : 500)
  await measureLists(bench, quick)
  const { table, child } = bench
  table.note({ what: 'memory after all that (PSS)', measured: `${memoryOf(child.pid!).toFixed(0)} MiB` })
}

async function measureShow({ table, baseline, child, demo }: Bench, { made }: Servers, times: number): Promise<void> {
  const show = (i: number) => demo.get(`${serversPath}/${made[i % made.length]}`)
  await timed(5 * times, 1, show)
  await noteCalls(table, baseline, child, {
    what: 'GET server by id',
    budget: 'p99 < 5 ms',
    count: 10 * times,
    call: show,
  })
}

/** What is done to servers, each to one at a time, until it is done. */
async function measureActions({ table, baseline, child, demo }: Bench, { made, is, gone }: Servers, times: number) {
  const small = Math.ceil(times / 4)
  const act = (id: string, body: object) => demo.send('POST', `${serversPath}/${id}/action`, body, 202)
  const ids = made.slice(0, small)
  const resized = async (i: number) => {
    await act(ids[i]!, { resize: { flavorRef: '84' } })
    await is(ids[i]!, 'VERIFY_RESIZE')
  }
  await noteCalls(table, baseline, child, { what: 'resize to VERIFY_RESIZE', count: small, call: resized })
  for (const id of ids) await demo.send('POST', `${serversPath}/${id}/action`, { confirmResize: null }, 204)
  const doomed = made.splice(0, 2 * small)
  const removed: number[] = []
  await noteCalls(table, baseline, child, {
    what: 'DELETE server to gone',
    count: doomed.length,
    async call(i) {
      removed.push(await took(() => demo.remove(`${serversPath}/${doomed[i]}`, 204)))
      await gone(doomed[i]!)
    },
  })
  table.note({ what: 'of that: DELETE answered', measured: quantiles(timesOf(removed)) })
}

async function measureMany(
  { table, child }: Bench,
  { post, postMany, is, built }: Servers,
  quick: boolean,
): Promise<void> {
  if (!quick) {
    const many = await took(() => timed(200, 200, async i => is(await post(`many-${i}`), 'ACTIVE')))
    table.note({ what: '200 servers at once, all ACTIVE', measured: ms(many) })
  }
  for (const [count, budget] of quick
    ? [[20, '-'] as const]
    : ([
        [100, '-'],
        [1000, '< 20 s'],
      ] as const)) {
    let active = 0
    const late = await lateDuring(child, async () => {
      active = await took(async () => {
        await postMany(`of-${count}`, count)
        await built()
      })
    })
    table.note({ what: `${count} servers in one call, all ACTIVE`, budget, measured: ms(active) })
    noteLate(table, `${count} servers in one call`, late)
  }
}

async function measureLists({ table, baseline, child, demo }: Bench, quick: boolean): Promise<void> {
  for (const [path, what] of [
    ['', 'list 1,000 servers'],
    ['/detail', 'list 1,000 servers with a port each, detail'],
  ] as const) {
    const list = () => demo.get(`${serversPath}${path}?limit=1000`)
    await timed(quick ? 1 : 20, 1, list)
    await noteCalls(table, baseline, child, { what, budget: '< 25 ms', count: quick ? 5 : 50, call: list })
  }
}
