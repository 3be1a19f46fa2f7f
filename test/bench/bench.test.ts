/** The benchmarks still run; their numbers are not judged. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

test('a quick run has every row', { timeout: 240_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'bench.ts'), '--quick'])
  for (const words of [
    'Fastify',
    'first start',
    'token issue',
    'upload',
    'to ACTIVE',
    'resize',
    'with 10 servers',
    'among 10',
    'guests booting',
  ])
    assert.ok(stdout.includes(words), `${words} is not in:\n${stdout}`)
})
