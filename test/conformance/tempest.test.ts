/** Tempest's smoke tests and every area that is finished, judged against the list of known failures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tempestMode } from './tempest/mode.ts'

const lists = ['smoke', 'api.identity', 'api.image']

test(`Tempest: ${lists.join(', ')}`, { timeout: 460_000 }, async () => {
  const lines: string[] = []
  const say = (line: string) => void (/^(passed|skipped) /.test(line) || lines.push(line))
  const good = await tempestMode({ lists, workers: 2, minutes: 6, write: false, say })
  assert.ok(good, lines.slice(-60).join('\n'))
})
