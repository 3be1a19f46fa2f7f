/** Runs the plan of test-plan.ts: prepares the machine, streams progress, and closes with `N passed, N failed, N skipped`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findProgram } from '../src/cli/debian-packages.ts'
import { buildTinyImage, keptTinyImage } from '../src/cli/image-build.ts'
import { installPackages } from '../src/cli/install.ts'
import { messageOf } from '../src/kernel/errors.ts'
import { sourceFiles } from './source-files.ts'
import { chosenParts, filesOf, type Need, type Part, parts } from './test-plan.ts'
import { findNats, makeTemplate, postgresFolder, startNats, startPostgres } from './test-servers.ts'
import type { Report } from './test-worker.ts'
import { type Job, takeTurns } from './test-workers.ts'

const root = join(import.meta.dirname, '..')
const deadline = performance.now() + Number(process.env.NEPHOS_TEST_MINUTES || 55) * 60_000
const minutesLeft = () => (deadline - performance.now()) / 60_000
const total = { passed: 0, failed: 0, skipped: 0 }
const troubles: string[] = []
const skips = new Map<string, number>()
/** How many files of a part are not through yet. */
const begun = new Map<Part, { files: number; started: number }>()

const say = (line: string) => console.log(line)
const heading = (line: string) => say(`\n== ${line}`)

// The other parts run on SQLite, as most clouds do.
const givenPostgres = process.env.NEPHOS_TEST_POSTGRES
delete process.env.NEPHOS_TEST_POSTGRES
process.env.NEPHOS_TEST_ENGINE = 'sqlite'

/** One file that computes and two that wait at a time keep two cores busy; where none waits, two that compute. */
async function main() {
  const chosen = chosenParts(process.env.NEPHOS_TEST_PARTS)
  const plan = chosen.flatMap(name => parts.find(part => part.name === name) ?? [])
  await prepare(plan)
  await using servers = new AsyncDisposableStack()
  if (plan.length > 1) await provideNats(servers)
  const waits = plan.filter(part => part.waits)
  const computes = plan.filter(part => !part.waits)
  const [waiting, computing] = [jobsOf(waits, servers), jobsOf(computes, servers)]
  const checked = chosen.includes('check') ? check() : Promise.resolve()
  await Promise.all([
    checked.then(() => takeTurns(inTurn(computing, waiting), tell)),
    ...Array.from({ length: waits.length > 0 ? 2 : 1 }, () => takeTurns(inTurn(waiting, computing), tell)),
  ])
}

/** What it says is shown when it is through, among what tests say meanwhile. */
async function check() {
  const child = spawn('sh', ['tools/check.sh'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += chunk))
  const [code] = await once(child, 'close')
  heading(`check: types, lint, layers, sizes\n${text.trimEnd()}`)
  if (code === 0) total.passed++
  else fail('tools/check.sh')
}

/** The files of parts, in their order. A part begins when its first file is asked for, while the last of others may be at work. */
async function* jobsOf(plan: Part[], servers: AsyncDisposableStack): AsyncGenerator<Job, undefined> {
  const texts = sourceFiles(root, ['src', 'test', 'tools'])
  for (const part of plan) {
    const files = filesOf(part.name, texts)
    if (files.length === 0) continue
    heading(`${part.name}: ${part.what} (${files.length} files)`)
    const reason = obstacle(part)
    if (reason) {
      skipPart(part, files.length, reason)
      continue
    }
    const env = await environmentOf(part, servers).catch(error => fail(`${part.name}: ${messageOf(error)}`))
    if (!env) continue
    const minutes = Math.min(part.minutes, minutesLeft())
    const started = performance.now()
    begun.set(part, { files: files.length, started })
    for (const [index, file] of files.entries()) {
      const left = started + minutes * 60_000 - performance.now()
      if (left <= 0) {
        fail(`${part.name}: stopped after ${minutes.toFixed(0)} minutes, with ${files.length - index} files to go`)
        break
      }
      // A file that hangs must not keep the others from being told.
      const most = Math.max(15, minutes / files.length) * 60_000
      yield { part, file: join(root, file), env, timeout: Math.min(most, left) }
    }
  }
}

/** What is left in the first list, then in the next: others take from them, too. */
async function* inTurn(...lists: AsyncIterator<Job>[]): AsyncGenerator<Job, undefined> {
  for (const list of lists) for (let next = await list.next(); !next.done; next = await list.next()) yield next.value
}

/** What tells test/engines.ts of a server, and of a database to copy: faster than to make the tables anew for each test. */
async function environmentOf(part: Part, servers: AsyncDisposableStack): Promise<Record<string, string>> {
  if (part.server !== 'postgres') return {}
  const server = givenPostgres ?? servers.use(await startPostgres()).url
  const template = servers.use(await makeTemplate(server))
  return { NEPHOS_TEST_POSTGRES: server, NEPHOS_TEST_ENGINE: 'postgres', NEPHOS_TEST_TEMPLATE: template.name }
}

function obstacle(part: Part): string | undefined {
  if (part.root && process.getuid?.() !== 0) return 'needs root'
  const absent = (part.needs ?? []).filter(need => !isThere(need))
  if (absent.length > 0) return `needs ${absent.map(nameOf).join(', ')}: ${installLine(absent)}`
  if (minutesLeft() < 1) return 'no time is left (NEPHOS_TEST_MINUTES)'
  return undefined
}

function isThere(need: Need): boolean {
  if ('file' in need) return existsSync(need.file)
  return need.program === 'initdb'
    ? Boolean(givenPostgres ?? postgresFolder())
    : findProgram(need.program) !== undefined
}

const nameOf = (need: Need) => ('file' in need ? need.package : need.program)

const installLine = (needs: Need[]) => `apt-get install ${[...new Set(needs.map(need => need.package))].join(' ')}`

function skipPart(part: Part, count: number, reason: string) {
  say(`SKIPPED ${count} files: ${reason}`)
  total.skipped += count
  skips.set(`${part.name}: ${reason}`, count)
}

/** One line for each file that is through, more for what failed. */
function tell({ part, file }: Job, report: Report) {
  const where = shortPath(file)
  if (report.kind === 'failure') tellFailure(where, report)
  else if (report.kind === 'skip') skips.set(report.reason, (skips.get(report.reason) ?? 0) + 1)
  else tellCounts(`${part.name.padEnd(11)} ${where}`, report)
  if (report.kind === 'through') tellPart(part)
}

function tellFailure(where: string, { test, words }: Report & { kind: 'failure' }) {
  const title = shortPath(test) === where ? where : `${where}: ${test}`
  troubles.push(title)
  say(`FAILED ${title}\n${words.replace(/^/gm, '    ')}`)
}

function tellCounts(where: string, { counts: { passed, failed, skipped }, seconds }: Report & { kind: 'through' }) {
  const more = `${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`
  say(`${seconds.toFixed(1).padStart(6)} s  ${where}: ${passed} passed${more}`)
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}

function tellPart(part: Part) {
  const { files, started } = begun.get(part)!
  begun.set(part, { files: files - 1, started })
  if (files === 1) say(`${part.name}: ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

function shortPath(path: string): string {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path
}

function fail(what: string) {
  total.failed++
  troubles.push(what)
}

async function prepare(plan: Part[]) {
  await installPrograms(plan)
  if (plan.some(part => part.guest && !obstacle(part))) await buildGuest()
}

/** Installs what the chosen parts need, when that is possible. */
async function installPrograms(plan: Part[]) {
  const needs = plan.flatMap(part => part.needs ?? []).filter(need => !isThere(need))
  if (needs.length === 0 || process.getuid?.() !== 0 || !findProgram('apt-get')) return
  heading(`installing Debian packages for the tests: ${[...new Set(needs.map(need => need.package))].join(' ')}`)
  try {
    if (needs.some(need => need.package === 'postgresql')) await withoutDefaultCluster()
    await installPackages([...new Set(needs.map(need => need.package))], say)
  } catch (error) {
    say(`${messageOf(error)}\nGoing on without; what needs them is skipped.`)
  }
}

async function buildGuest() {
  if (keptTinyImage()) return
  heading('building the tiny Linux guest')
  try {
    await buildTinyImage({ log: say })
  } catch (error) {
    say(`${messageOf(error)}\nGoing on without; what boots it is skipped.`)
  }
}

/** Debian's PostgreSQL makes and starts a server for everybody unless told not to. */
async function withoutDefaultCluster() {
  await installPackages(['postgresql-common'], say)
  const path = '/etc/postgresql-common/createcluster.conf'
  if (!existsSync(path)) return
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace(/^#?\s*create_main_cluster\s*=.*$/m, 'create_main_cluster = false'))
}

async function provideNats(servers: AsyncDisposableStack) {
  if (process.env.NEPHOS_TEST_NATS) return
  try {
    const program = await findNats(say)
    process.env.PATH = `${process.env.PATH}:${dirname(program)}`
    process.env.NEPHOS_TEST_NATS = servers.use(await startNats(program)).url
  } catch (error) {
    say(`no NATS server: ${messageOf(error)}`)
  }
}

function finish() {
  if (skips.size > 0) {
    heading('skipped')
    for (const [reason, count] of skips) say(`  ${String(count).padStart(3)}  ${reason}`)
  }
  if (troubles.length > 0) {
    heading('failed')
    for (const trouble of troubles) say(`  ${trouble}`)
  }
  const { passed, failed, skipped } = total
  say(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exit(failed > 0 || passed === 0 ? 1 : 0)
}

process.chdir(root)
await main().catch(error => {
  total.failed++
  troubles.push(messageOf(error))
})
finish()
