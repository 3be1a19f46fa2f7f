/** The archive's layout, as the kernel reads it. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cpioArchive } from './cpio.ts'

/** Reads the archive as the kernel does: fixed hexadecimal fields, names and contents padded to four bytes. */
function members(archive: Buffer) {
  const found: { name: string; mode: number; owner: number; content: string }[] = []
  for (let at = 0; ; ) {
    assert.equal(archive.toString('latin1', at, at + 6), '070701')
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16)
    const nameEnd = at + 110 + field(11)
    const name = archive.toString('latin1', at + 110, nameEnd - 1)
    const start = (nameEnd + 3) & ~3
    const end = start + field(6)
    if (name === 'TRAILER!!!') return found
    found.push({ name, mode: field(1), owner: field(2) + field(3), content: archive.toString('latin1', start, end) })
    at = (end + 3) & ~3
  }
}

test('files, folders and links keep their names, modes and contents, and belong to root', t => {
  const root = mkdtempSync(join(tmpdir(), 'nephos-cpio-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'bin'), { mode: 0o755 })
  writeFileSync(join(root, 'bin/sh'), 'five!')
  chmodSync(join(root, 'bin/sh'), 0o755)
  symlinkSync('bin/sh', join(root, 'init'))
  chmodSync(root, 0o755)

  const archive = cpioArchive(root)
  assert.deepEqual(members(archive), [
    { name: '.', mode: 0o040755, owner: 0, content: '' },
    { name: 'bin', mode: 0o040755, owner: 0, content: '' },
    { name: 'bin/sh', mode: 0o100755, owner: 0, content: 'five!' },
    { name: 'init', mode: 0o120777, owner: 0, content: 'bin/sh' },
  ])
  assert.equal(archive.length % 512, 0)
  assert.deepEqual(cpioArchive(root), archive)
})
