/** Tempest's smoke tests and every area that is finished, judged against the list of known failures. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { findProgram } from '../../src/cli/debian-packages.ts'

const lists = ['smoke', 'interop', 'api.identity', 'api.image', 'api.network']

const absent = ['python3', 'unshare', 'ip'].filter(program => findProgram(program) === undefined)
const skip = absent.length > 0 && `needs ${absent.join(', ')}`

test(`Tempest: ${lists.join(', ')}`, { skip, timeout: 470_000 }, async () => {
  const words = ['tempest', '--list', lists.join(','), '--minutes', '6', '--dry']
  const { code, out } = await conformance(words)
  const telling = out.split('\n').filter(line => !/^(passed|skipped|failed) /.test(line))
  assert.equal(code, 0, telling.slice(-60).join('\n'))
})

function conformance(words: string[]): Promise<{ code: number; out: string }> {
  const script = join(import.meta.dirname, 'conformance.ts')
  return new Promise(done => {
    execFile(process.execPath, [script, ...words], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code ?? 1) : 0, out: stdout + stderr }),
    )
  })
}
