/** What is told and left behind after a run of a suite. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judge, knownFailures } from './known-failures.ts'
import type { Result } from './stestr.ts'

/** Leaves what helps to find causes: files of the run's folder, the cloud's log, each result, each failure. */
export function keepTraces(to: string, from: string, files: string[], results: Result[], cloudLog: string): void {
  mkdirSync(to, { recursive: true })
  for (const file of files) if (existsSync(join(from, file))) cpSync(join(from, file), join(to, file))
  writeFileSync(join(to, 'nephos.log'), cloudLog)
  writeFileSync(join(to, 'results.json'), JSON.stringify(results, null, 1))
  const failed = results.filter(result => result.outcome === 'failed')
  writeFileSync(join(to, 'failures.txt'), failed.map(({ test, text }) => `=== ${test}\n${text}\n`).join('\n'))
}

/** Gives whether nothing failed that should not, and nothing on the list of known failures passed. */
export function tellVerdict(results: Result[], say: (line: string) => void): boolean {
  const { unexpected, mended } = judge(results, knownFailures())
  for (const test of unexpected) say(`NEW FAILURE  ${test}`)
  for (const test of mended) say(`MENDED  ${test}: take it out of known-failures.txt`)
  const count = (outcome: string) => results.filter(result => result.outcome === outcome).length
  say(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`)
  return unexpected.length === 0 && mended.length === 0
}
