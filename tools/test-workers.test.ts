/** What is told of test files, however they end. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { type Part, parts } from './test-plan.ts'
import { type Job, takeTurns } from './test-workers.ts'

const unit = parts.find(part => part.name === 'unit')!

/** A line for each file: its counts, what failed and with which words. */
async function told(bodies: Record<string, string>, part: Part): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-workers-'))
  const lines: Record<string, string> = {}
  async function* jobs(): AsyncGenerator<Job> {
    for (const [name, body] of Object.entries(bodies)) {
      const file = join(folder, `${name}.mjs`)
      writeFileSync(
        file,
        `import { test, after } from 'node:test'\nimport { setTimeout as sleep } from 'node:timers/promises'\n${body}`,
      )
      yield { part, file, env: { NEPHOS_TEST_SAYS: 'hello' }, timeout: name === 'hangs' ? 500 : 60_000 }
    }
  }
  try {
    await takeTurns(jobs(), ({ file }, report) => {
      const name = basename(file, '.mjs')
      const told = lines[name] ?? ''
      if (report.kind === 'failure') lines[name] = `${told}${basename(report.test)}: ${report.words.split('\n')[0]}; `
      else if (report.kind === 'skip') lines[name] = `${told}skip: ${report.reason}; `
      else lines[name] = `${told}${Object.values(report.counts).join(' ')}`
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return lines
}

test('files that share a process are told of one by one, whatever they do to it', async () => {
  const lines = await told(
    {
      good: "globalThis.seen = 1; test('a', () => {}); test('b', t => t.skip('no b here'))",
      shares:
        "test('a', () => { if (!globalThis.seen || process.env.NEPHOS_TEST_SAYS !== 'hello') throw new Error('alone') })",
      failing: "test('a', t => t.test('inner', () => { throw new Error('wrong') })); test('b', () => {})",
      broken: "test('a', () => {}); throw new Error('no more tests')",
      late: "test('a', () => { setTimeout(() => { throw new Error('too late') }, 5) }); test('b', () => sleep(50))",
      ends: "test('a', () => process.exit(0))",
      open: "test('a', () => {}); setTimeout(() => { globalThis.waited = true }, 50)",
      waits: "test('a', () => { if (!globalThis.waited) throw new Error('the file before was not through') })",
      absent: "import './not-there.mjs'",
    },
    unit,
  )
  assert.match(lines.late!, /^late.mjs: .*too late.*; 2 1 0$/)
  assert.match(lines.absent!, /^absent.mjs: .*not-there.mjs.*; 0 1 0$/)
  const { late: _, absent: __, ...others } = lines
  assert.deepEqual(others, {
    good: 'skip: no b here; 1 0 1',
    shares: '1 0 0',
    failing: 'inner: Error: wrong; 1 2 0',
    broken: 'broken.mjs: Error: no more tests; 1 1 0',
    ends: 'ends.mjs: its process ended with code 0 before it was through; 0 1 0',
    open: '1 0 0',
    waits: '1 0 0',
  })
})

test('a file that hangs is ended, and the next one begins; alone, none sees another', async () => {
  const lines = await told(
    {
      hangs: 'setInterval(() => {}, 1000)',
      first: "globalThis.seen = 1; test('a', () => {})",
      second: "test('a', () => { if (globalThis.seen) throw new Error() })",
    },
    { ...unit, together: false },
  )
  assert.deepEqual(lines, {
    hangs: 'hangs.mjs: was not through after 0 minutes; 0 1 0',
    first: '1 0 0',
    second: '1 0 0',
  })
})
