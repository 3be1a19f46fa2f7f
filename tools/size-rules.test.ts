/** Long files, and the list of exceptions that may only shrink. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeSizes } from './size-rules.ts'

const judge = (sizes: Record<string, number>, exceptions: Record<string, number> = {}) =>
  judgeSizes(new Map(Object.entries(sizes)), exceptions)

test('300 lines are fine, more is a warning, over 500 fails', () => {
  const { warnings, failures } = judge({ short: 300, long: 301, limit: 500, over: 501 })
  assert.deepEqual(warnings, ['long: 301 lines, aim for 300', 'limit: 500 lines, aim for 300'])
  assert.deepEqual(failures, ['over: 501 lines, at most 500: split it by what its parts are about'])
})

test('an exception holds a file at its length, and has to follow it down', () => {
  assert.deepEqual(judge({ big: 900 }, { big: 900 }).failures, [])
  assert.equal(judge({ big: 901 }, { big: 900 }).failures.length, 1)
  assert.deepEqual(judge({ big: 700, small: 80 }, { big: 900, small: 600, gone: 600 }).shrunk, { big: 700 })
  assert.equal(judge({ big: 700, small: 80 }, { big: 900, small: 600, gone: 600 }).failures.length, 3)
})
