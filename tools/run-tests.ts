/** Runs the plan of test-plan.ts: prepares the machine, streams progress, and closes with `N passed, N failed, N skipped`. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type EventData, run } from 'node:test'
import { findProgram } from '../src/cli/debian-packages.ts'
import { buildTinyImage, keptTinyImage } from '../src/cli/image-build.ts'
import { installPackages } from '../src/cli/install.ts'
import { messageOf } from '../src/kernel/errors.ts'
import { sourceFiles } from './source-files.ts'
import { chosenParts, filesOf, type Part, type Program, parts } from './test-plan.ts'
import { findNats, makeTemplate, postgresFolder, startNats, startPostgres } from './test-servers.ts'

const root = join(import.meta.dirname, '..')
const deadline = performance.now() + Number(process.env.NEPHOS_TEST_MINUTES || 55) * 60_000
const minutesLeft = () => (deadline - performance.now()) / 60_000
const total = { passed: 0, failed: 0, skipped: 0 }
const troubles: string[] = []
const skips = new Map<string, number>()

const say = (line: string) => console.log(line)
const heading = (line: string) => say(`\n== ${line}`)

// The other parts run on SQLite, as most clouds do.
const givenPostgres = process.env.NEPHOS_TEST_POSTGRES
delete process.env.NEPHOS_TEST_POSTGRES
process.env.NEPHOS_TEST_ENGINE = 'sqlite'

async function main() {
  const chosen = chosenParts(process.env.NEPHOS_TEST_PARTS)
  const plan = parts.filter(part => chosen.includes(part.name))
  await prepare(plan)
  await using servers = new AsyncDisposableStack()
  if (plan.length > 1) await provideNats(servers)
  const files = sourceFiles(root, ['src', 'test', 'tools'])
  for (const name of chosen) {
    if (name === 'check') await check()
    else await runPart(plan.find(part => part.name === name)!, filesOf(name, files))
  }
}

async function check() {
  heading('check: types, lint, layers, sizes')
  const child = spawn('sh', ['tools/check.sh'], { stdio: ['ignore', 'inherit', 'inherit'] })
  const code = await new Promise(resolve => child.on('close', resolve))
  if (code === 0) total.passed++
  else fail('tools/check.sh')
}

async function runPart(part: Part, files: string[]) {
  if (files.length === 0) return
  heading(`${part.name}: ${part.what} (${files.length} files)`)
  const reason = obstacle(part)
  if (reason) return skipPart(part, files.length, reason)
  if (part.server !== 'postgres') return runFiles(part, files)
  await using postgres = givenPostgres ? undefined : await startPostgres()
  const server = givenPostgres ?? postgres!.url
  // Copied faster than the tables are made anew for each test.
  await using template = await makeTemplate(server)
  const env = { POSTGRES: server, ENGINE: 'postgres', TEMPLATE: template.name }
  for (const [name, value] of Object.entries(env)) process.env[`NEPHOS_TEST_${name}`] = value
  await runFiles(part, files)
  for (const name of Object.keys(env)) delete process.env[`NEPHOS_TEST_${name}`]
  process.env.NEPHOS_TEST_ENGINE = 'sqlite'
}

function obstacle(part: Part): string | undefined {
  if (part.root && process.getuid?.() !== 0) return 'needs root'
  const absent = (part.needs ?? []).filter(need => !isThere(need))
  if (absent.length > 0) return `needs ${absent.map(need => need.program).join(', ')}: ${installLine(absent)}`
  if (minutesLeft() < 1) return 'no time is left (NEPHOS_TEST_MINUTES)'
  return undefined
}

const isThere = (need: Program) =>
  need.program === 'initdb' ? Boolean(givenPostgres ?? postgresFolder()) : findProgram(need.program) !== undefined

const installLine = (needs: Program[]) => `apt-get install ${[...new Set(needs.map(need => need.package))].join(' ')}`

function skipPart(part: Part, count: number, reason: string) {
  say(`SKIPPED ${count} files: ${reason}`)
  total.skipped += count
  skips.set(`${part.name}: ${reason}`, count)
}

/** Each file in a process of its own, two at a time; one line for each file that is through, more for what failed. */
async function runFiles(part: Part, files: string[]) {
  const stopped = new AbortController()
  const minutes = Math.min(part.minutes, minutesLeft())
  const timer = setTimeout(() => stopped.abort(), minutes * 60_000)
  const started = performance.now()
  // A file that hangs must not keep the others from being told.
  const timeout = Math.min(minutes, Math.max(8, minutes / files.length)) * 60_000
  const paths = files.map(file => join(root, file))
  const execArgv = ['--import', join(root, 'src/module-hooks.mjs')]
  const stream = run({ files: paths, concurrency: 2, signal: stopped.signal, timeout, execArgv })
  for await (const event of stream) {
    if (event.type === 'test:fail') tellFailure(event.data)
    else if (event.type === 'test:pass') noteSkip(event.data)
    else if (event.type === 'test:stderr') process.stderr.write(event.data.message)
    else if (event.type === 'test:summary') tellCounts(event.data)
  }
  clearTimeout(timer)
  if (stopped.signal.aborted) fail(`${part.name}: stopped after ${minutes.toFixed(0)} minutes`)
  say(`${part.name}: ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

function tellFailure({ name, file, details: { error, type } }: EventData.TestFail) {
  // A suite, or a test with tests in it, fails because of what is in it, and that has been said.
  if (type === 'suite' || /subtests? failed/.test(String(error.message))) return
  const { cause } = error
  const where = shortPath(file)
  const title = shortPath(name) === where ? where : `${where}: ${name}`
  troubles.push(title)
  const words = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause ?? error.message)
  say(`FAILED ${title}\n${words.replace(/^/gm, '    ')}`)
}

function noteSkip({ name, skip }: EventData.TestPass) {
  if (skip === undefined || skip === false) return
  const reason = typeof skip === 'string' && skip ? skip : name
  skips.set(reason, (skips.get(reason) ?? 0) + 1)
}

/** Counts come for each file that ran to its end, and once more for the whole, with files that crashed counted as a test. */
function tellCounts({ file, counts, duration_ms }: EventData.TestSummary) {
  const { tests, passed, skipped, todo } = counts
  const failed = tests - passed - skipped - todo
  if (file) {
    const seconds = (duration_ms / 1000).toFixed(1).padStart(6)
    const more = `${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`
    say(`${seconds} s  ${shortPath(file)}: ${passed} passed${more}`)
  } else {
    total.passed += passed
    total.failed += failed
    total.skipped += skipped + todo
  }
}

function shortPath(path = ''): string {
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
