/** `conformance cli`: the openstack client's commands, group by group, against a simulated cloud. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parse, stringify } from 'yaml'
import { messageOf } from '../../../src/kernel/errors.ts'
import { addImage, logIn, startCloud } from '../cloud.ts'
import { tellVerdict } from '../outcome.ts'
import { writeReport } from '../report.ts'
import { keep, keptOf, noteSeen } from '../results.ts'
import type { Result } from '../stestr.ts'
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
  await addImage(await logIn(cloud), 'second')
  const before = await cloud.answered()
  prepareFiles(cloud.dir, cloud.cloudsFile)
  const results: Result[] = []
  let about: About | undefined
  for (const journey of journeys) {
    const began = performance.now()
    // A process for each: some commands leave traces in the client's memory.
    await using client = await openClient(cloud.dir)
    about = client.about
    const text = await walk(journey, client.run)
    const test = `cli.${journey.group.replaceAll(' ', '_')}`
    const seconds = (performance.now() - began) / 1000
    results.push({ test, id: test, outcome: text === '' ? 'passed' : 'failed', seconds, text })
    say(`${text === '' ? 'passed' : 'failed'} ${seconds.toFixed(1).padStart(6)} s  ${test}${text && `\n${text}`}`)
  }
  if (write && groups.length === 0) {
    keep('cli', keptOf(about?.version ?? '', results))
    noteSeen('cli', before, await cloud.answered())
    writeReport()
  }
  if (about && groups.length === 0) say(unused(journeys, about.commands))
  return tellVerdict(results, say)
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
  const login = words[0] === '--os-cloud' ? [] : ['--os-cloud', as]
  const ran = await run([...login, ...words, ...(asJson ? ['-f', 'json'] : [])])
  const told = ran.err.trim().split('\n').at(-1) ?? ''
  if (step.fails !== undefined) {
    if (ran.code === 0) return `should have failed, but gave: ${ran.out.slice(0, 300)}`
    return ran.err.includes(step.fails) ? '' : `failed with other words: ${told}`
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

interface About {
  commands: string[]
  version: string
}

/** What journeys find where they run: some files, and an entry of clouds.yaml that lacks who it is. */
function prepareFiles(folder: string, cloudsFile: string) {
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text)
  put('file', 'a file for the client\n')
  put('filters.json', JSON.stringify({ interface: 'public' }))
  put('rules.json', JSON.stringify([{ service: 'compute', method: 'GET', path: '/v2.1/servers' }]))
  put('mapping.json', JSON.stringify([{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'REMOTE_USER' }] }]))
  const given = parse(readFileSync(cloudsFile, 'utf8')) as { clouds: Record<string, { auth: Record<string, string> }> }
  const { auth, ...others } = given.clouds.nephos!
  const bare = { ...others, auth: { auth_url: auth.auth_url }, auth_type: 'v3applicationcredential' }
  const clouds = { ...given.clouds, bare }
  put('clouds.yaml', stringify({ clouds }))
}

/** A process that runs one command after the other. */
async function openClient(folder: string) {
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'commands.py')], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, OS_CLIENT_CONFIG_FILE: join(folder, 'clouds.yaml'), PYTHONWARNINGS: 'ignore' },
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  async function next<T>(): Promise<T> {
    const { value, done } = await lines.next()
    if (done) throw new Error('the openstack client has ended: is python3-openstackclient installed?')
    return JSON.parse(value) as T
  }
  return {
    about: await next<About>(),
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
