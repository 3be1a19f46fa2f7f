/** Measures the budgets on a simulated cloud started as a user starts it. Prints a table; `--write` puts it into docs/performance.md. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { candidateTimes } from './candidates.ts'
import { guestTimes } from './guest.ts'
import { type Client, clientWith, entriesOf, login, memoryOf, root, start, stop, usedBy } from './process.ts'
import { schedulingTimes } from './scheduling.ts'
import { ms, quantiles, type Times, timed, timesOf } from './timing.ts'
import { uploadTimes } from './upload.ts'

interface Row {
  what: string
  budget: string
  measured: string
  /** Of one call, background work that it sets off included. */
  cpu?: string
  statements?: string
}

const rows: Row[] = []

function note(row: Row): void {
  rows.push(row)
  const { what, budget, measured, cpu = '', statements = '' } = row
  console.log([what.padEnd(56), budget.padEnd(12), measured.padEnd(28), cpu.padEnd(10), statements].join(' '))
}

/** Times `count` calls, and notes what one of them costs the cloud. `settled`: when all that they set off is done. */
async function noteCalls(
  child: ChildProcess,
  row: { what: string; budget: string; measured?: (times: Times & { perSecond: number }) => string },
  count: number,
  clients: number,
  call: (i: number) => Promise<unknown>,
  settled: () => Promise<unknown> = async () => {},
): Promise<void> {
  const before = await usedBy(child)
  const times = await timed(count, clients, call)
  await settled()
  const after = await usedBy(child)
  note({
    what: row.what,
    budget: row.budget,
    measured: (row.measured ?? quantiles)(times),
    cpu: ms((after.cpu - before.cpu) / count),
    statements: ((after.statements - before.statements) / count).toFixed(1),
  })
}

/** Starts the cloud several times on one database; the last one stays. */
async function measureStarts(data: string): Promise<ChildProcess> {
  const first = await start(data)
  const measured = 'first start to ready (simulated, new database)'
  note({ what: measured, budget: '-', measured: ms(first.took), cpu: ms(first.cpu) })
  await stop(first.child)
  const starts = []
  for (let i = 0; i < 5; i++) {
    starts.push(await start(data))
    if (i < 4) await stop(starts[i]!.child)
  }
  const { child } = starts.at(-1)!
  const [{ took, cpu }] = starts.sort((a, b) => a.took - b.took).slice(2) as [(typeof starts)[0]]
  note({ what: 'start to ready (simulated, median of 5)', budget: '< 1 s', measured: ms(took), cpu: ms(cpu) })
  await sleep(3000)
  note({ what: 'idle memory (PSS)', budget: '< 150 MB', measured: `${memoryOf(child.pid!).toFixed(0)} MiB` })
  return child
}

async function measureReads(child: ChildProcess, data: string, demo: Client, admin: Client, token: string) {
  const entry = entriesOf(data).nephos!
  const rate = ({ perSecond, p50 }: Times & { perSecond: number }) => `${perSecond.toFixed(0)} /s, p50 ${ms(p50)}`
  await timed(20, 1, () => login(entry))
  await noteCalls(child, { what: 'token issue by password, 4 clients', budget: '-', measured: rate }, 200, 4, () =>
    login(entry),
  )
  const subject = { 'x-subject-token': token }
  await noteCalls(child, { what: 'token validation, 8 clients', budget: '-', measured: rate }, 2000, 8, () =>
    admin.get('/identity/v3/auth/tokens', subject),
  )
  const path = `/compute/v2.1/flavors/${await nanoOf(demo)}`
  await timed(300, 1, () => demo.get(path))
  await noteCalls(child, { what: 'GET flavor by id', budget: 'p99 < 5 ms' }, 2000, 1, () => demo.get(path))
}

async function nanoOf(demo: Client): Promise<string> {
  const { flavors } = await demo.json<{ flavors: { id: string; name: string }[] }>('/compute/v2.1/flavors')
  return flavors.find(flavor => flavor.name === 'm1.nano')!.id
}

/** Takes the limits away and makes a network that is large enough. Gives the body of a server. */
async function prepareServers(demo: Client, admin: Client) {
  const { projects } = await demo.json<{ projects: { id: string }[] }>('/identity/v3/auth/projects')
  const project = projects[0]!.id
  const quota_set = { instances: -1, cores: -1, ram: -1 }
  await admin.send('PUT', `/compute/v2.1/os-quota-sets/${project}`, { quota_set }, 200)
  await admin.send('PUT', `/network/v2.0/quotas/${project}`, { quota: { port: -1 } }, 200)
  const { images } = await demo.json<{ images: { id: string }[] }>('/image/v2/images')
  const path = '/network/v2.0/networks'
  const { network } = await demo.send<{ network: { id: string } }>('POST', path, { network: { name: 'bench' } }, 201)
  const subnet = { network_id: network.id, ip_version: 4, cidr: '10.7.0.0/16' }
  await demo.send('POST', '/network/v2.0/subnets', { subnet }, 201)
  return { imageRef: images[0]!.id, flavorRef: await nanoOf(demo), networks: [{ uuid: network.id }] }
}

async function measureServers(child: ChildProcess, demo: Client, admin: Client): Promise<void> {
  const common = await prepareServers(demo, admin)
  const made: string[] = []
  const post = async (name: string) => {
    const body = { server: { ...common, name } }
    const { server } = await demo.send<{ server: { id: string } }>('POST', '/compute/v2.1/servers', body, 202)
    made.push(server.id)
    return server.id
  }
  const active = async (id: string) => {
    for (;;) {
      const { server } = await demo.json<{ server: { status: string } }>(`/compute/v2.1/servers/${id}`)
      if (server.status === 'ACTIVE') return
      if (server.status === 'ERROR') throw new Error(`server ${id} is in ERROR`)
      await sleep(2)
    }
  }
  const built = async () => {
    for (;;) {
      const { servers } = await demo.json<{ servers: unknown[] }>('/compute/v2.1/servers?status=BUILD')
      if (servers.length === 0) return
      await sleep(50)
    }
  }
  for (let i = 0; i < 20; i++) await active(await post(`warm-${i}`))
  const chained = { what: 'POST /servers answered, the next while the last is built', budget: '-' }
  await noteCalls(child, chained, 50, 1, i => post(`post-${i}`), built)
  const answers: number[] = []
  const single = { what: 'POST /servers to ACTIVE, one at a time (one port, fake driver)', budget: '< 50 ms' }
  await noteCalls(child, single, 100, 1, async i => {
    const posted = performance.now()
    const id = await post(`one-${i}`)
    answers.push(performance.now() - posted)
    await active(id)
  })
  note({ what: 'of that: POST /servers answered', budget: '< 15 ms', measured: quantiles(timesOf(answers)) })
  const began = performance.now()
  await timed(200, 200, async i => active(await post(`many-${i}`)))
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  note({ what: '200 servers at once, all ACTIVE', budget: '-', measured: `${seconds} s` })
  const show = { what: 'GET server by id', budget: 'p99 < 5 ms' }
  await noteCalls(child, show, 1000, 1, i => demo.get(`/compute/v2.1/servers/${made[i % made.length]}`))

  for (let missing = 1000 - made.length; missing > 0; missing -= 50) {
    const server = { ...common, name: 'bulk', min_count: Math.min(50, missing) }
    await demo.send('POST', '/compute/v2.1/servers', { server }, 202)
    await built()
  }
  const list = '/compute/v2.1/servers/detail?limit=1000'
  await timed(10, 1, () => demo.get(list))
  const what = 'list 1,000 servers with a port each, detail'
  await noteCalls(child, { what, budget: '< 25 ms' }, 50, 1, () => demo.get(list))
  note({ what: 'memory after all that (PSS)', budget: '-', measured: `${memoryOf(child.pid!).toFixed(0)} MiB` })
}

async function measureUpload(child: ChildProcess, demo: Client, token: string): Promise<void> {
  const gibibytes = 2
  const { growth, rate } = await uploadTimes(child, demo, token, gibibytes * 1024)
  note({
    what: `upload of ${gibibytes} GiB: memory grows at most by (PSS)`,
    budget: '< 64 MiB',
    measured: `${growth.toFixed(0)} MiB`,
  })
  note({ what: `upload of ${gibibytes} GiB`, budget: '-', measured: `${rate.toFixed(0)} MiB/s` })
}

function measureCandidates(): void {
  for (const { what, times } of candidateTimes()) note({ what, budget: '< 5 ms', measured: quantiles(times) })
}

async function measureScheduling(data: string): Promise<void> {
  const { times, statements } = await schedulingTimes(data)
  const what = 'host chosen and claimed among 10,000'
  note({ what, budget: '< 5 ms', measured: quantiles(times), statements: statements.toFixed(1) })
}

async function measureGuest(): Promise<void> {
  const guest = await guestTimes()
  if ('skipped' in guest) {
    note({ what: 'real guest from QEMU to `login:`', budget: '-', measured: `skipped: ${guest.skipped}` })
    return
  }
  const { accel, spawn, login } = guest
  note({ what: `real guest (${accel}): image in the cache to QEMU runs`, budget: '-', measured: ms(spawn) })
  note({ what: `real guest (${accel}): QEMU runs to \`login:\``, budget: '-', measured: ms(login) })
}

function write(load: number): void {
  const cells = ({ what, budget, measured, cpu = '', statements = '' }: Row) =>
    `| ${what} | ${budget} | ${measured} | ${cpu} | ${statements} |`
  const table = ['| what | budget | measured | CPU a call | SQL a call |', '|---|---|---|---|---|', ...rows.map(cells)]
  writeFileSync(
    join(root, 'docs/performance.md'),
    `# Performance

Measured by \`npm run bench\` on ${cpus().length} cores (${cpus()[0]!.model}), Node ${process.versions.node}, with the load on the same machine: a cloud started as a user starts it
(\`nephos up --simulated --hosts 3\`), real HTTP on loopback, SQLite on disk with every commit synced. One run; expect 30 % of noise on a shared machine. The load
average before the run was ${load.toFixed(1)}. The processor's time of a call includes the work that goes on after its answer.

${table.join('\n')}
`,
  )
}

const load = loadavg()[0]!
const data = mkdtempSync(join(tmpdir(), 'nephos-bench-'))
const child = await measureStarts(data)
const { nephos, 'nephos-admin': operator } = entriesOf(data)
const token = await login(nephos!)
const demo = clientWith(token)
const admin = clientWith(await login(operator!))
await measureUpload(child, demo, token)
await measureReads(child, data, demo, admin, token)
await measureServers(child, demo, admin)
await stop(child)
await measureScheduling(data)
measureCandidates()
await measureGuest()
rmSync(data, { recursive: true, force: true })
if (process.argv.includes('--write')) write(load)
