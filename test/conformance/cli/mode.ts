/** `conformance cli`: the openstack client's commands, group by group, against a simulated cloud. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { messageOf } from '../../../src/kernel/errors.ts'
import { addSecondImage, logIn, startCloud } from '../cloud.ts'
import { judge, knownFailures } from '../known-failures.ts'
import { writeReport } from '../report.ts'
import { keep, keptOf, noteSeen } from '../results.ts'
import type { Result } from '../tempest/tempest.ts'
import { fill, type Journey, parseJourneys, type Step } from './journeys.ts'

export interface CliOptions {
  /** Only these groups; all when empty. */
  groups: string[]
  write: boolean
  say(line: string): void
}

interface Ran {
  code: number
  out: string
  err: string
}

export function allJourneys(): Journey[] {
  const files = readdirSync(import.meta.dirname).filter(name => name.endsWith('.txt'))
  return files.sort().flatMap(name => parseJourneys(readFileSync(join(import.meta.dirname, name), 'utf8')))
}

export async function cliMode({ groups, write, say }: CliOptions): Promise<boolean> {
  const journeys = allJourneys().filter(({ group }) => groups.length === 0 || groups.includes(group))
  if (journeys.length === 0) throw new Error(`no journey goes through ${groups.join(', ')}`)
  await using cloud = await startCloud({ flags: ['--simulated', '--hosts', '3'] })
  await addSecondImage(await logIn(cloud))
  const before = await cloud.answered()
  await using client = await openClient(cloud.cloudsFile, cloud.dir)
  const results: Result[] = []
  for (const journey of journeys) {
    const began = performance.now()
    const text = await walk(journey, client.run)
    const test = `cli.${journey.group.replaceAll(' ', '_')}`
    const seconds = (performance.now() - began) / 1000
    results.push({ test, id: test, outcome: text === '' ? 'passed' : 'failed', seconds, text })
    say(`${text === '' ? 'passed' : 'failed'} ${seconds.toFixed(1).padStart(6)} s  ${test}${text && `\n${text}`}`)
  }
  if (write && groups.length === 0) {
    keep('cli', keptOf(client.version, results))
    noteSeen('cli', (await cloud.answered()).keys())
    writeReport()
  }
  say(unused(journeys, client.commands))
  const { unexpected, mended } = judge(results, knownFailures())
  for (const test of mended) say(`MENDED  ${test}: take it out of known-failures.txt`)
  const failed = results.filter(result => result.outcome === 'failed').length
  say(`${results.length - failed} passed, ${failed} failed (${before.size} operations were called to prepare)`)
  return unexpected.length === 0 && mended.length === 0
}

/** Gives what went wrong, or nothing. */
async function walk({ as, steps }: Journey, run: (words: string[]) => Promise<Ran>): Promise<string> {
  const answers = new Map<string, Record<string, unknown>>()
  for (const step of steps) {
    const trouble = await take(step, as, answers, run).catch(messageOf)
    if (trouble) return `    line ${step.line}: openstack ${step.words.join(' ')}\n    ${trouble}`
  }
  return ''
}

async function take(
  step: Step,
  as: string,
  answers: Map<string, Record<string, unknown>>,
  run: (words: string[]) => Promise<Ran>,
): Promise<string> {
  const words = step.words.map(word => fill(word, answers))
  const asJson = step.called !== undefined || Object.keys(step.members).length > 0
  const ran = await run(['--os-cloud', as, ...words, ...(asJson ? ['-f', 'json'] : [])])
  const told = ran.err.trim().split('\n').at(-1) ?? ''
  if (step.fails !== undefined) {
    if (ran.code === 0) return `should have failed, but gave: ${ran.out.slice(0, 300)}`
    return told.includes(step.fails) ? '' : `failed with other words: ${told}`
  }
  if (ran.code !== 0) return told
  const answer = asJson ? (JSON.parse(ran.out) as Record<string, unknown>) : {}
  if (step.called !== undefined) answers.set(step.called, answer)
  for (const [name, value] of Object.entries(step.members)) {
    const wanted = fill(value, answers)
    const got = typeof answer[name] === 'object' ? JSON.stringify(answer[name]) : String(answer[name])
    if (got !== wanted) return `${name} is ${got}, not ${wanted}`
  }
  for (const text of step.shows.map(word => fill(word, answers))) {
    if (!ran.out.includes(text)) return `'${text}' is not in: ${ran.out.slice(0, 300)}`
  }
  return ''
}

/** One process that runs one command after the other. */
async function openClient(cloudsFile: string, cwd: string) {
  writeFileSync(join(cwd, 'file'), 'a file for the client\n')
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'commands.py')], {
    cwd,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, OS_CLIENT_CONFIG_FILE: cloudsFile, PYTHONWARNINGS: 'ignore' },
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  async function next<T>(): Promise<T> {
    const { value, done } = await lines.next()
    if (done) throw new Error('the openstack client has ended: is python3-openstackclient installed?')
    return JSON.parse(value) as T
  }
  const { commands, version } = await next<{ commands: string[]; version: string }>()
  return {
    commands,
    version,
    run(words: string[]): Promise<Ran> {
      child.stdin.write(`${JSON.stringify(words)}\n`)
      return next<Ran>()
    },
    async [Symbol.asyncDispose]() {
      const gone = new Promise(done => child.once('exit', done))
      child.stdin.end()
      await gone
    },
  }
}

/** Commands of the services that are here, of which no journey makes use. */
function unused(journeys: Journey[], commands: string[]): string {
  const typed = journeys.flatMap(({ steps }) => steps.map(step => `${step.words.join(' ')} `))
  const here = commands.filter(name =>
    /^openstack\.(compute\.v2|identity\.v3|image\.v2|network\.v2|common|placement)/.test(name),
  )
  const names = here.map(name => name.slice(name.indexOf(' ') + 1))
  const left = names.filter(name => !typed.some(command => command.startsWith(`${name} `)))
  return `${names.length - left.length} of ${names.length} commands are used; not used: ${left.join(', ')}`
}
