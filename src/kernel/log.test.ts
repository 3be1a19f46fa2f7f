/** The log when it cannot be written. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

test('a process lives on when the disk of its log is full, and can end', async () => {
  const program = `
    const { createLog } = await import(${JSON.stringify(import.meta.resolve('./log.ts'))})
    const log = createLog({ destination: '/dev/full' })
    for (let line = 0; line < 3; line++) {
      log.info('nobody will read this')
      await new Promise(done => setTimeout(done, 20))
    }
    console.log('lives')`
  const words = ['--input-type=module', '-e', program]
  const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: 10_000, killSignal: 'SIGKILL' })
  assert.equal(stdout, 'lives\n')
})
