/** Measures the budgets on a simulated cloud started as a user starts it. Prints a table; `--write` puts it into docs/performance.md. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'

const root = resolve(import.meta.dirname, '../..')
const port = 18674
const base = `http://127.0.0.1:${port}`

interface Row {
  what: string
  budget: string
  measured: string
}

const rows: Row[] = []

function note(what: string, budget: string, measured: string): void {
  rows.push({ what, budget, measured })
  console.log(`${what.padEnd(58)} ${budget.padEnd(14)} ${measured}`)
}

const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`

function quantile(sorted: number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!
}

/** Times of `count` calls made by `clients` at once. */
async function timed(
  count: number,
  clients: number,
  call: (i: number) => Promise<void>,
): Promise<{ p50: number; p99: number; perSecond: number }> {
  const times: number[] = []
  let next = 0
  const began = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let i = next++; i < count; i = next++) {
        const start = performance.now()
        await call(i)
        times.push(performance.now() - start)
      }
    }),
  )
  const seconds = (performance.now() - began) / 1000
  times.sort((a, b) => a - b)
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond: count / seconds }
}

async function start(data: string): Promise<{ child: ChildProcess; took: number }> {
  const began = performance.now()
  const child = spawn(
    join(root, 'nephos'),
    ['up', '--data', data, '--simulated', '--hosts', '3', '--port', String(port)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await new Promise<void>((done, fail) => {
    let text = ''
    child.stdout!.on('data', chunk => {
      text += chunk
      if (/^ready http/m.test(text)) done()
    })
    child.once('exit', code => fail(new Error(`nephos up ended with ${code}`)))
  })
  return { child, took: performance.now() - began }
}

async function stop(child: ChildProcess): Promise<void> {
  const exit = new Promise(done => child.once('exit', done))
  child.kill('SIGTERM')
  await exit
}

/** Proportional memory of a process in MiB. */
function memoryOf(pid: number): number {
  const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]
  return Number(pss) / 1024
}

interface Entry {
  auth: { username: string; password: string; project_name: string }
}

async function login(entry: Entry): Promise<string> {
  const domain = { name: 'Default' }
  const { username, password, project_name } = entry.auth
  const answer = await fetch(`${base}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
        scope: { project: { name: project_name, domain } },
      },
    }),
  })
  await answer.text()
  if (answer.status !== 201) throw new Error(`login: ${answer.status}`)
  return answer.headers.get('x-subject-token')!
}

async function main(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'nephos-bench-'))
  const first = await start(data)
  note('first start to ready (simulated, new database)', '-', ms(first.took))
  await stop(first.child)
  const starts: number[] = []
  let child!: ChildProcess
  for (let i = 0; i < 5; i++) {
    const run = await start(data)
    starts.push(run.took)
    child = run.child
    if (i < 4) await stop(child)
  }
  starts.sort((a, b) => a - b)
  note('start to ready (simulated, median of 5)', '< 1 s', ms(starts[2]!))
  await sleep(3000)
  note('idle memory (PSS)', '< 150 MB', `${memoryOf(child.pid!).toFixed(0)} MiB`)

  const { clouds } = parse(readFileSync(join(data, 'clouds.yaml'), 'utf8')) as { clouds: Record<string, Entry> }
  const demo = clouds.nephos!
  const token = await login(demo)
  const admin = await login(clouds['nephos-admin']!)
  const get = async (path: string, as = token, expect = 200, headers: Record<string, string> = {}) => {
    const answer = await fetch(base + path, { headers: { 'x-auth-token': as, ...headers } })
    const text = await answer.text()
    if (answer.status !== expect) throw new Error(`GET ${path}: ${answer.status} ${text}`)
    return text
  }
  const send = async (method: string, path: string, body: unknown, expect: number, as = token) => {
    const answer = await fetch(base + path, {
      method,
      headers: { 'x-auth-token': as, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.90' },
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    if (answer.status !== expect) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text ? JSON.parse(text) : undefined
  }

  await timed(20, 1, async () => void (await login(demo)))
  const issue = await timed(200, 4, async () => void (await login(demo)))
  note('token issue by password, 4 clients', '-', `${issue.perSecond.toFixed(0)} /s, p50 ${ms(issue.p50)}`)
  const validate = await timed(
    2000,
    8,
    async () => void (await get('/identity/v3/auth/tokens', admin, 200, { 'x-subject-token': token })),
  )
  note('token validation, 8 clients', '-', `${validate.perSecond.toFixed(0)} /s, p50 ${ms(validate.p50)}`)

  const { flavors } = JSON.parse(await get('/compute/v2.1/flavors')) as { flavors: { id: string; name: string }[] }
  const nano = flavors.find(f => f.name === 'm1.nano')!
  await timed(300, 1, async () => void (await get(`/compute/v2.1/flavors/${nano.id}`)))
  const flavor = await timed(2000, 1, async () => void (await get(`/compute/v2.1/flavors/${nano.id}`)))
  note('GET flavor by id', 'p99 < 5 ms', `p50 ${ms(flavor.p50)}, p99 ${ms(flavor.p99)}`)

  const quota = { quota_set: { instances: -1, cores: -1, ram: -1 } }
  const demoProject = (JSON.parse(await get('/identity/v3/auth/projects')) as { projects: { id: string }[] })
    .projects[0]!.id
  await send('PUT', `/compute/v2.1/os-quota-sets/${demoProject}`, quota, 200, admin)
  await send('PUT', `/network/v2.0/quotas/${demoProject}`, { quota: { port: -1 } }, 200, admin)
  const { images } = JSON.parse(await get('/image/v2/images')) as { images: { id: string }[] }
  const { network } = await send('POST', '/network/v2.0/networks', { network: { name: 'bench' } }, 201)
  const subnet = { network_id: network.id, ip_version: 4, cidr: '10.7.0.0/16' }
  await send('POST', '/network/v2.0/subnets', { subnet }, 201)
  const body = (name: string, network: unknown) => ({
    server: { name, imageRef: images[0]!.id, flavorRef: nano.id, networks: network },
  })
  const withPort = [{ uuid: network.id }]
  const active = async (id: string) => {
    for (;;) {
      const { server } = JSON.parse(await get(`/compute/v2.1/servers/${id}`)) as { server: { status: string } }
      if (server.status === 'ACTIVE') return
      if (server.status === 'ERROR') throw new Error(`server ${id} is in ERROR`)
      await sleep(2)
    }
  }
  const made: string[] = []
  const post = async (name: string) => {
    const { server } = await send('POST', '/compute/v2.1/servers', body(name, withPort), 202)
    made.push(server.id)
    return server.id as string
  }
  for (let i = 0; i < 5; i++) await active(await post(`warm-${i}`))
  const answered = await timed(30, 1, async i => void (await post(`post-${i}`)))
  await Promise.all(made.map(active))
  note('POST /servers answered (one port, fake driver)', '< 15 ms', `p50 ${ms(answered.p50)}, p99 ${ms(answered.p99)}`)
  const single = await timed(30, 1, async i => active(await post(`one-${i}`)))
  note('POST /servers to ACTIVE, one at a time', '< 50 ms', `p50 ${ms(single.p50)}, p99 ${ms(single.p99)}`)
  const began = performance.now()
  await Promise.all(Array.from({ length: 200 }, async (_, i) => active(await post(`many-${i}`))))
  note('200 servers at once, all ACTIVE', '-', `${((performance.now() - began) / 1000).toFixed(1)} s`)
  const show = await timed(1000, 1, async i => void (await get(`/compute/v2.1/servers/${made[i % made.length]}`)))
  note('GET server by id', 'p99 < 5 ms', `p50 ${ms(show.p50)}, p99 ${ms(show.p99)}`)

  while (made.length < 1000)
    await send(
      'POST',
      '/compute/v2.1/servers',
      {
        server: {
          name: 'bulk',
          imageRef: images[0]!.id,
          flavorRef: nano.id,
          networks: 'none',
          min_count: Math.min(100, 1000 - made.length),
        },
      },
      202,
    ).then(() => made.push(...Array.from({ length: Math.min(100, 1000 - made.length) }, () => '')))
  await sleep(5000)
  const list = await timed(30, 1, async () => void (await get('/compute/v2.1/servers/detail?limit=1000')))
  note('list 1,000 servers, detail', '< 25 ms', `p50 ${ms(list.p50)}, p99 ${ms(list.p99)}`)
  note('memory after all that (PSS)', '-', `${memoryOf(child.pid!).toFixed(0)} MiB`)
  await stop(child)
  rmSync(data, { recursive: true, force: true })
  if (process.argv.includes('--write')) write()
}

function write(): void {
  const table = [
    '| what | budget | measured |',
    '|---|---|---|',
    ...rows.map(r => `| ${r.what} | ${r.budget} | ${r.measured} |`),
  ].join('\n')
  writeFileSync(
    join(root, 'docs/performance.md'),
    `# Performance

Measured by \`npm run bench\` on ${cpus().length} cores (${cpus()[0]!.model}), Node ${process.versions.node}, with the load on the same machine: a cloud started as a user starts it
(\`nephos up --simulated --hosts 3\`), real HTTP on loopback, SQLite on disk with every commit synced. One run; expect 30 % of noise on a shared machine.

${table}
`,
  )
}

await main()
