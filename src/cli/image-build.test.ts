/** What of the cache of tiny images stays. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempDisposableSync, readdirSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { forgetOthers } from './image-build.ts'

test('two versions of Nephos on a machine keep their images; what is old goes, and what killed builds left', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'nephos-images-'))
  const now = systemClock().now()
  const hoursAgo = { 'ours-1': 90, 'theirs-1': 20, 'old-1': 30, 'build-running': 0.5, 'build-killed': 2 }
  for (const [name, hours] of Object.entries(hoursAgo)) {
    const path = join(folder.path, name)
    mkdirSync(path)
    utimesSync(path, now / 1000 - hours * 3600, now / 1000 - hours * 3600)
  }
  await forgetOthers(folder.path, join(folder.path, 'ours-1'), now)
  assert.deepEqual(readdirSync(folder.path).sort(), ['build-running', 'ours-1', 'theirs-1'])
})
