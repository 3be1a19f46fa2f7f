/** Who reads what a command prints may go away: `nephos api schema compute | head`. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

test('a reader that has seen enough is no error', async () => {
  const main = join(import.meta.dirname, '../main.ts')
  const child = spawn(process.execPath, [main, 'api', 'schema', 'compute'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.once('data', () => child.stdout.destroy())
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  assert.deepEqual([said, code], ['', 0])
})
