/** Runs a suite of Python tests by stestr and gives each test's result. */
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Suite } from './python.ts'

export type Outcome = 'passed' | 'failed' | 'skipped'

export interface Result {
  /** Full name, without the attributes in brackets, with the scenario behind them. */
  test: string
  /** The name with the attributes: by them lists choose. */
  id: string
  outcome: Outcome
  seconds: number
  /** Why it was skipped; the traceback of a failure. */
  text: string
}

export interface RunOptions {
  patterns: string[]
  /** A pattern of tests to leave out. */
  except?: string
  workers: number
  minutes: number
  /** Told of each test that is through. */
  heard(result: Result): void
}

/** A folder in which a suite runs. */
export interface Workspace {
  folder: string
  python: string
  /** What the names of its tests begin with. */
  prefix: string
  env: NodeJS.ProcessEnv
}

export interface Layout {
  /** The folder of the tests. */
  tests: string
  /** The folder that their names are seen from. */
  top: string
  prefix: string
  env: Record<string, string>
}

/** Makes an existing folder a workspace of the suite. */
export async function workspaceIn(folder: string, { python }: Suite, layout: Layout): Promise<Workspace> {
  const { tests, top, prefix, env } = layout
  // Tests of a class stay together: they share what the class has made.
  const lines = [`test_path=${tests}`, `top_dir=${top}`, 'group_regex=([^\\.]*\\.)*']
  writeFileSync(join(folder, '.stestr.conf'), `[DEFAULT]\n${lines.join('\n')}\n`)
  await promisify(execFile)(python, ['-m', 'stestr.cli', 'init'], { cwd: folder })
  // What is measured is the cloud: no proxy of the caller's stands between.
  return { folder, python, prefix, env: { ...process.env, ...env, no_proxy: '*' } }
}

/** What is said of a test that the run had no time for, or broke off. */
export const noTime = 'it did not end in time'

/** Runs the tests that fit a pattern, if there are any. Tests of a class that was skipped or failed as a whole are told one by one. */
export async function runSuite(workspace: Workspace, options: RunOptions): Promise<Result[]> {
  writeFileSync(join(workspace.folder, 'patterns.txt'), `${options.patterns.join('\n')}\n`)
  const listed = await listTests(workspace, options.except)
  if (listed.length === 0) return []
  const results = new Map<string, Result>()
  const wholes = new Map<string, Result>()
  for await (const result of stream(workspace, options)) {
    const whole = /^setUpClass \((.+)\)$/.exec(result.test)?.[1]
    if (whole) wholes.set(whole, result)
    else results.set(result.test, result)
    options.heard(result)
  }
  return listed.map(id => {
    const test = nameOf(id)
    const result = results.get(test) ?? wholes.get(test.slice(0, test.lastIndexOf('.')))
    // One that fails says why; one that says nothing was broken off.
    if (result && (result.outcome !== 'failed' || result.text.trim())) return { ...result, id, test }
    return { id, test, outcome: 'failed', seconds: 0, text: noTime }
  })
}

const select = (except?: string) => [
  ...['--include-list', 'patterns.txt'],
  ...(except ? ['--exclude-regex', except] : []),
]

async function listTests({ python, folder, prefix, env }: Workspace, except?: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(python, ['-m', 'stestr.cli', 'list', ...select(except)], {
    cwd: folder,
    env,
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout
    .split('\n')
    .map(line => line.trim())
    .filter(line => line.startsWith(prefix))
    .sort()
}

/** One that is run in several scenarios has theirs after the brackets. */
export const nameOf = (id: string) => id.replace(/\[[^\]]*\]/, '').trim()

async function* stream(
  { python, folder, env }: Workspace,
  { workers, minutes, except }: RunOptions,
): AsyncGenerator<Result> {
  const words = ['-m', 'stestr.cli', 'run', '--subunit', '--concurrency', String(workers), ...select(except)]
  // A group of its own, so that the workers can be stopped with it.
  const tests = spawn(python, words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const reader = spawn(python, [join(import.meta.dirname, 'events.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  tests.stdout.pipe(reader.stdin)
  const runs = () => tests.exitCode === null && tests.signalCode === null
  const stop = () => runs() && process.kill(-tests.pid!, 'SIGTERM')
  const timer = setTimeout(stop, minutes * 60_000)
  try {
    for await (const line of createInterface({ input: reader.stdout })) {
      const { id, status, seconds, text } = JSON.parse(line) as Event
      const outcome = outcomes[status]
      if (outcome) yield { id, test: nameOf(id), outcome, seconds, text }
    }
  } finally {
    clearTimeout(timer)
    stop()
  }
}

interface Event {
  id: string
  status: string
  seconds: number
  text: string
}

const outcomes: Record<string, Outcome> = {
  success: 'passed',
  xfail: 'passed',
  fail: 'failed',
  uxsuccess: 'failed',
  inprogress: 'failed',
  unknown: 'failed',
  skip: 'skipped',
}
