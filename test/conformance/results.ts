/** Results of the last whole run of each list, kept beside the code as JSON, and the operations that each suite has called. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { services } from '../../src/services.ts'
import type { Answered } from './cloud.ts'
import { noTime, type Result } from './stestr.ts'

const folder = join(import.meta.dirname, 'results')

export const suites = ['tests', 'tempest', 'cli', 'sdk'] as const
export type Suite = (typeof suites)[number]

/** What is kept of a list's run. */
export interface Kept {
  version: string
  passed: number
  failed: string[]
  /** How many tests were skipped, by the reason. */
  skipped: Record<string, number>
  /** How many the run had no time for: it failed, but they say nothing of the cloud. */
  unreached?: number
}

export function keptOf(version: string, results: Result[]): Kept {
  const skipped: Record<string, number> = {}
  for (const { outcome, text } of results) {
    if (outcome === 'skipped') skipped[reasonOf(text)] = (skipped[reasonOf(text)] ?? 0) + 1
  }
  const failed = results.filter(result => result.outcome === 'failed')
  const unreached = failed.filter(({ text }) => text === noTime).length
  return {
    version,
    passed: results.filter(result => result.outcome === 'passed').length,
    failed: failed.filter(({ text }) => text !== noTime).map(({ test }) => test),
    skipped: Object.fromEntries(Object.entries(skipped).sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(unreached > 0 && { unreached }),
  }
}

/** One line; lists that the reason quotes are left out. */
function reasonOf(text: string): string {
  const line = text
    .trim()
    .split('\n')[0]!
    .replace(/\[\{.*/, '…')
    .replace(/\s+/g, ' ')
  return line.length > 160 ? `${line.slice(0, 159)}…` : line || 'no reason given'
}

export function keep(list: string, kept: Kept): void {
  write(`${list}.json`, kept)
}

export function keptResults(list: string): Kept | undefined {
  return read<Kept>(`${list}.json`)
}

/** Runs on real guests take hours, and may be made in parts: of each test, its last result is kept. */
interface KeptReal {
  version: string
  /** By the test's name: `passed`, `failed`, `not reached`, or why it was skipped. */
  tests: Record<string, string>
}

const realFile = 'real.json'
const notReached = 'not reached'

/** What is kept after one more run. A test that it had no time for stays as it was. */
export function withRun(before: KeptReal['tests'], results: Result[]): KeptReal['tests'] {
  const tests = { ...before }
  for (const { test, outcome, text } of results) {
    if (text === noTime) tests[test] ??= notReached
    else tests[test] = outcome === 'skipped' ? reasonOf(text) : outcome
  }
  return Object.fromEntries(Object.entries(tests).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function keepReal(version: string, results: Result[]): void {
  write(realFile, { version, tests: withRun(read<KeptReal>(realFile)?.tests ?? {}, results) })
}

export function keptReal(isOn: (test: string) => boolean): Kept | undefined {
  const real = read<KeptReal>(realFile)
  return real && keptOfReal(real, isOn)
}

/** Undefined when none of the tests was asked for yet. */
export function keptOfReal({ version, tests }: KeptReal, isOn: (test: string) => boolean): Kept | undefined {
  const found = Object.entries(tests).filter(([test]) => isOn(test))
  if (found.length === 0) return undefined
  const results = found.map(([test, told]): Result => {
    const nothing = { test: `real.${test}`, id: test, seconds: 0, text: '' }
    if (told === 'passed' || told === 'failed') return { ...nothing, outcome: told }
    if (told === notReached) return { ...nothing, outcome: 'failed', text: noTime }
    return { ...nothing, outcome: 'skipped', text: told }
  })
  return keptOf(version, results)
}

/** Adds the operations that a suite had good answers from to those that it is known to call. */
export function noteSeen(suite: Suite, before: Answered, after: Answered): void {
  const good = (answered: Answered, id: string) =>
    Object.entries(answered.get(id) ?? {}).reduce((sum, [status, count]) => sum + (status < '400' ? count : 0), 0)
  noteCalled(
    suite,
    [...after.keys()].filter(id => good(after, id) > good(before, id)),
  )
}

export function noteCalled(suite: Suite, ids: Iterable<string>): void {
  const there = new Set(services.flatMap(service => service.operations.map(operation => operation.id)))
  const all = new Set([...seenBy(suite), ...ids])
  write(`seen-by-${suite}.json`, [...all].filter(id => there.has(id)).sort())
}

export function seenBy(suite: Suite): string[] {
  return read<string[]>(`seen-by-${suite}.json`) ?? []
}

function read<T>(name: string): T | undefined {
  const path = join(folder, name)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined
}

function write(name: string, value: unknown): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)
}
