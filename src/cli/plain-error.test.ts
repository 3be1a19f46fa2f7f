/** What can be mended is said in a sentence; what is a bug shows where. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { StartError } from './data-dir.ts'
import { plainWords } from './plain-error.ts'

function errorOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

test('a full disk', () => {
  assert.match(plainWords(errorOf(() => writeFileSync('/dev/full', 'text')))!, /^the disk is full: make room/)
})

test('a database that cannot be written', () => {
  using database = new DatabaseSync(':memory:')
  database.exec('pragma query_only = on')
  assert.match(plainWords(errorOf(() => database.exec('create table t (a)')))!, /^the database cannot be written/)
})

test('what went wrong first is what is told', () => {
  const cannotClear = Object.assign(new Error('EROFS'), { code: 'EROFS' })
  assert.equal(plainWords(new SuppressedError(cannotClear, new StartError('do this'))), 'do this')
})

test('our own sentences stay, bugs are not plain', () => {
  assert.equal(plainWords(new StartError('do this')), 'do this')
  assert.equal(plainWords(new TypeError('x is undefined')), undefined)
})
