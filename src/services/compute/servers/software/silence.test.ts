/** For how long an agent that does not answer is asked again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notSilent, silentAgain } from './silence.ts'

test('an agent that never answers is asked again six times, after pauses that grow, and no more', () => {
  const at = Date.parse('2026-01-01T00:00:00.000Z')
  const pauses: (number | null)[] = []
  let silence = notSilent
  while (silence.silences < 8) {
    silence = silentAgain(at, silence)
    assert.equal(silence.silent_at, '2026-01-01T00:00:00.000Z')
    pauses.push(silence.ask_at === null ? null : (Date.parse(silence.ask_at) - at) / 60_000)
  }
  assert.deepEqual(pauses, [10, 20, 40, 80, 160, 320, null, null])
})
