/** Taking a data directory. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDataDir } from './data-dir.ts'

function newFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'nephos-data-dir-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('a second process is told who has the directory', () => {
  using folder = newFolder()
  using _first = openDataDir(folder.path)
  assert.throws(() => openDataDir(folder.path), /another nephos runs on/)
})

test('a directory that cannot be written is not taken for one that another process has', () => {
  using folder = newFolder()
  mkdirSync(join(folder.path, 'lock.db'))
  assert.throws(() => openDataDir(folder.path), /cannot write to the data directory .* \(.+\): mend that/)
})
