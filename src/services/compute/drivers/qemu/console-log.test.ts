/** The bounded console log. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { lastLines, readConsoleLog, trimConsoleLog } from './console-log.ts'

const keep = 1000
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'nephos-console-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('a writer that appends goes on after the log is cut, and the newest output is kept in order', async () => {
  const log = join(dir, 'console.log')
  writeFileSync(log, '')
  await using writer = await open(log, 'a')
  let all = ''
  for (let round = 0; round < 50; round++) {
    const text = `line ${round} ${'.'.repeat(round * 7)}\n`
    all += text
    await writer.write(text)
    await trimConsoleLog(dir, keep)
    assert.ok(statSync(log).size <= keep)
    assert.equal(await readConsoleLog(dir, keep), all.slice(-keep))
  }
})

test('a log that was never written is empty', async () => {
  assert.equal(await readConsoleLog(dir, keep), '')
})

test('a link in the place of the log is neither read nor cut', async () => {
  const other = join(dir, 'secret')
  writeFileSync(other, 's'.repeat(5000))
  symlinkSync(other, join(dir, 'console.log'))
  await assert.rejects(readConsoleLog(dir, keep), { code: 'ELOOP' })
  await assert.rejects(trimConsoleLog(dir, keep), { code: 'ELOOP' })
  assert.equal(readFileSync(other).length, 5000)
})

test('bytes that are no text do no harm', async () => {
  appendFileSync(join(dir, 'console.log'), Buffer.from([0xff, 0xfe, 0x41]))
  assert.equal(await readConsoleLog(dir, keep), '\ufffd\ufffdA')
})

test('the last lines', () => {
  assert.equal(lastLines('a\nb\nc\n', 2), 'b\nc\n')
  assert.equal(lastLines('a\nb\nc', 2), 'b\nc')
  assert.equal(lastLines('a\nb\n', 5), 'a\nb\n')
  assert.equal(lastLines('\n\n\n', 1), '\n')
  assert.equal(lastLines('\na\n', 2), '\na\n')
  assert.equal(lastLines('', 3), '')
  assert.equal(lastLines('a\nb\n', 0), '')
  assert.equal(lastLines('a\nb\n', undefined), 'a\nb\n')
})
