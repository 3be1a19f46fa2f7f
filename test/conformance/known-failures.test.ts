/** The list of known failures can only shrink. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, parseKnownFailures } from './known-failures.ts'

const known = parseKnownFailures('# why\n\na.b: not there\na.c: wrong status\n')

test('a failure that is not on the list is told, one on the list is not', () => {
  const results = [
    { test: 'a.b', outcome: 'failed' },
    { test: 'a.x', outcome: 'failed' },
    { test: 'a.y', outcome: 'passed' },
  ]
  assert.deepEqual(judge(results, known), { unexpected: ['a.x'], mended: [] })
})

test('a test on the list that passes or is skipped must go from it; one that did not run says nothing', () => {
  assert.deepEqual(judge([{ test: 'a.b', outcome: 'passed' }], known).mended, ['a.b'])
  assert.deepEqual(judge([{ test: 'a.c', outcome: 'skipped' }], known).mended, ['a.c'])
})

test('each line has a reason, and is there once', () => {
  assert.throws(() => parseKnownFailures('a.b\n'), /line 1/)
  assert.throws(() => parseKnownFailures('a.b: x\na.b: y\n'), /already/)
})
