/** The harness itself: what becomes of a story that fails. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

const fixtures = new URL('../src/services/compute/servers/fixtures/', import.meta.url)

test('a story that fails before it could dispose of its cloud ends, and leaves no folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-harness-'))
  try {
    const story = join(folder, 'story.mjs')
    writeFileSync(
      story,
      `import { test } from 'node:test'
      import { serverCloud } from '${new URL('server-cloud.ts', fixtures)}'
      import { newWorld } from '${new URL('world.ts', fixtures)}'
      test('fails', async () => {
        await serverCloud({ world: await newWorld() })
        throw new Error('as it should')
      })`,
    )
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const options = { env: { ...env, TMPDIR: folder }, timeout: 60_000 }
    const child = spawn(process.execPath, [story], { ...options, stdio: ['ignore', 'pipe', 'inherit'] })
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    assert.match(said, /as it should/)
    assert.deepEqual([code, readdirSync(folder)], [1, ['story.mjs']])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
