/** Runs test files one after another in this process, as test-workers.ts names them. A file is through when nothing keeps the process alive but us. */
import { type EventData, run } from 'node:test'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../src/kernel/errors.ts'

export interface Order {
  file: string
  /** Of each test, in milliseconds. */
  timeout: number
}

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export type Report =
  | { kind: 'failure'; test: string; words: string }
  | { kind: 'skip'; reason: string }
  | { kind: 'through'; counts: Counts; seconds: number; megabytes: number }

const report = (one: Report) => process.send?.(one)

const wordsOf = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error))

async function runFile({ file, timeout }: Order) {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  const notes: string[] = []
  const fail = (test: string, words: string) => {
    counts.failed++
    report({ kind: 'failure', test, words })
  }
  const started = performance.now()
  for await (const event of run({ files: [file], isolation: 'none', timeout })) {
    if (event.type === 'test:fail') tellFailure(event.data)
    else if (event.type === 'test:pass') noteSkip(event.data)
    else if (event.type === 'test:diagnostic') notes.push(event.data.message)
    else if (event.type === 'test:summary') take(event.data)
  }
  // A file that breaks after its first test is not told of.
  await import(pathToFileURL(file).href).catch(error => counts.failed || fail(file, wordsOf(error)))
  const seconds = (performance.now() - started) / 1000
  report({ kind: 'through', counts, seconds, megabytes: process.memoryUsage.rss() / 2 ** 20 })

  function take(summary: EventData.TestSummary) {
    const { tests, passed, skipped, todo } = summary.counts
    Object.assign(counts, { passed, skipped: skipped + todo, failed: tests - passed - skipped - todo })
    // An error that no test could be blamed for: one was over when it came.
    if (!summary.success && counts.failed === 0) fail(file, notes.filter(note => note.startsWith('Error')).join('\n'))
  }
}

function tellFailure({ name, details: { error, type } }: EventData.TestFail) {
  // A suite, or a test with tests in it, fails because of what is in it, and that has been said.
  if (type === 'suite' || /subtests? failed/.test(String(error.message))) return
  report({ kind: 'failure', test: name, words: wordsOf(error.cause ?? messageOf(error)) })
}

function noteSkip({ name, skip }: EventData.TestPass) {
  if (skip !== undefined && skip !== false)
    report({ kind: 'skip', reason: typeof skip === 'string' && skip ? skip : name })
}

process.on('disconnect', () => process.exit())
process.on('message', async (order: Order) => {
  process.channel?.unref()
  await runFile(order)
  process.channel?.ref()
})
