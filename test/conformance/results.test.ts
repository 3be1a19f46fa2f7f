/** What is kept of runs that were made in parts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptOfReal, withRun } from './results.ts'
import { nameOf, noTime, type Outcome } from './stestr.ts'

const result = (name: string, outcome: Outcome, text = '') => ({ test: name, id: name, outcome, seconds: 1, text })

test('of each test the last result is kept, and running out of time is none', () => {
  const first = withRun({}, [
    result('a.stays', 'passed'),
    result('a.mended', 'failed', 'Traceback'),
    result('a.late', 'failed', noTime),
    result('b.skipped', 'skipped', 'no volumes\nhere'),
  ])
  const tests = withRun(first, [result('a.stays', 'failed', noTime), result('a.mended', 'passed')])
  assert.deepEqual(tests, {
    'a.late': 'not reached',
    'a.mended': 'passed',
    'a.stays': 'passed',
    'b.skipped': 'no volumes',
  })
  assert.deepEqual(
    keptOfReal({ version: '1', tests }, name => name.startsWith('a.')),
    { version: '1', passed: 2, failed: [], skipped: {}, unreached: 1 },
  )
  const failing = { version: '1', tests: withRun(tests, [result('b.skipped', 'failed', 'Traceback')]) }
  assert.deepEqual(
    keptOfReal(failing, name => name.startsWith('b.')),
    { version: '1', passed: 0, failed: ['real.b.skipped'], skipped: {} },
  )
  assert.equal(
    keptOfReal(failing, () => false),
    undefined,
  )
})

test('the scenarios of a test are tests of their own', () => {
  assert.equal(nameOf('a.b.test_c[id-1234,smoke]'), 'a.b.test_c')
  assert.equal(nameOf('a.b.test_c[id-1234](qcow2)'), 'a.b.test_c(qcow2)')
})
